//! The session as a state machine: no IO, no clock, no waker.
//!
//! Methods come in families. `handle_*` take events in: what the peer sent, what was flushed, that
//! time passed, how the handler ended. Commands (`read`, `write`, `close`, …) come from the
//! handler's side. `poll_*` and the getters tell the loop around the engine what to do next:
//! transmit this, read or not, wake at that instant, drop the connection.
//!
//! The loop calls them in this order: input events and expired timers, then the handler, then
//! [`Engine::take_batch`] until there is no more, then [`Engine::handle_flush`]. Because the handler
//! has its turn between an event and the output, what it answers to messages that came with a
//! close or a violation leaves before the close frame does.

mod commands;
mod counts;
mod end;
mod ending;
mod events;
mod heartbeat;
mod inbound;
mod lazy;
mod outgoing;
mod pinging;
mod progress;
#[cfg(any(test, fuzzing))]
pub(crate) mod properties;
mod queue;
mod rare;
mod state;
#[cfg(test)]
mod tests;
mod transmit;

pub use self::{commands::Delivery, counts::Counts};
pub(crate) use self::{
    commands::{Admission, backpressure},
    end::Stage,
    inbound::{Arrived, Inbound},
    lazy::LazyDeque,
    outgoing::Outgoing,
    queue::{Outbound, Removed},
    state::{Engine, InputRoom},
};
