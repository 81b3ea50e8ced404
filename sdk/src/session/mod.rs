//! One connection's life: the state machine, the loop around it, and the handler's side of it.
//!
//! [`Session`] is the future that a driver runs; [`Socket`] and [`Sender`] are what handlers and
//! others hold of it; the [`Registry`] knows all of an app's sessions.
//!
//! This floor stands on `message/`, `policy/` and `wire/`.

mod alarm;
mod alarms;
mod around;
mod batch;
mod bell;
mod clock;
mod end;
pub(crate) mod engine;
mod figures;
mod gap;
mod guards;
mod handler;
mod hooks;
mod info;
mod line;
mod moment;
mod notifier;
mod registry;
mod run;
mod seen;
mod sender;
mod shared;
mod socket;
mod start;
mod sync;
mod tap;
mod timer;
mod turn;
mod waiters;
mod writing;

pub(crate) use self::{
    around::Around,
    guards::Guards,
    hooks::SessionHooks,
    info::{Way, Ways},
    registry::{Caps, Registry, RouteCount, Slot},
    start::SessionParts,
};
pub use self::{
    engine::{Counts, Delivery},
    figures::Figures,
    gap::Gap,
    info::SessionInfo,
    registry::{ShutdownOptions, ShutdownReport},
    run::Session,
    seen::{Direction, Passed},
    sender::Sender,
    socket::Socket,
    tap::Tap,
};
