//! Rooms, presence and history for Wharf's sockets, in one process or over many.
//!
//! A [`Hub`] has all rooms of an app. A [`Room`] is a name under which sockets hear the same; a
//! [`Seat`] is a socket's place in it, and dropping it leaves. What carries rooms between nodes is
//! a [`Bus`]: the crates `wharf-redis` and `wharf-nats` have one each, and a hub without
//! one is alone.
//!
//! # One publish, from end to end
//!
//! Without history: under the room's lock the message gets the node's next number, is handed to
//! every socket in the room on this node, and to the bus. Other nodes that have somebody in the
//! room see from the number whether it is a double or comes after a hole, tell the hole, and hand
//! it to their sockets.
//!
//! With history: the bus stores the message, gives it a position and sends it, as one step. Every
//! node, this one included, hands it on when it is the next one; one that sees a hole asks the bus
//! for what is missing, and tells a gap only if that is gone.
//!
//! Nobody waits for a slow member: what it has no room for is dropped, counted, and told to it as
//! a gap.

mod attendance;
pub mod bus;
mod cell;
mod chair;
mod error;
mod event;
mod farewell;
mod frame;
mod heard;
mod hub;
mod id;
mod inbound;
mod join;
mod keeper;
mod link;
mod local;
mod log;
mod member;
#[cfg(feature = "metrics")]
mod metrics;
mod name;
mod observe;
mod open;
mod options;
mod publish;
mod recover;
mod room;
mod roster;
mod seat;
mod sharded;
mod shared;
mod snapshot;
mod standing;
mod store;
mod subscription;
#[cfg(feature = "testing")]
pub mod testing;
mod topic;

pub use self::{
    bus::{Bus, BusCapabilities, BusStats},
    event::{Delivery, Event, Gap},
    hub::Hub,
    id::{NodeId, Position, SessionId},
    join::{Join, Welcome},
    local::LocalBus,
    member::{MAX_METADATA_BYTES, Member},
    name::{MAX_NAME_BYTES, RoomName},
    observe::{HubObserver, Stats},
    options::{History, HubBuilder, RoomOptions},
    publish::{Publish, Published},
    room::Room,
    seat::Seat,
    snapshot::RoomSnapshot,
    subscription::Subscription,
};
