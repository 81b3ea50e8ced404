//! What an app holds in its hands: hub, room, seat, subscription.
//!
//! This floor stands on all others.

mod builder;
mod hub;
mod join;
#[cfg(feature = "metrics")]
mod metrics;
mod publish;
mod room;
mod seat;
mod snapshot;
mod subscription;

pub use self::{
    builder::HubBuilder,
    hub::Hub,
    join::Join,
    publish::{Publish, Published},
    room::Room,
    seat::Seat,
    snapshot::RoomSnapshot,
    subscription::Subscription,
};
