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

mod builder;
pub mod bus;
mod cell;
mod chair;
mod ear;
mod error;
mod event;
mod farewell;
mod figures;
mod frame;
mod heard;
mod historic;
mod history;
mod hub;
mod id;
mod inbound;
mod join;
mod keeper;
mod link;
mod local;
mod lock;
mod log;
mod member;
mod membership;
#[cfg(feature = "metrics")]
mod metrics;
mod name;
mod node;
mod observe;
mod open;
mod options;
mod publish;
mod recover;
mod room;
mod rooms;
mod roster;
mod seat;
mod sessions;
mod settings;
mod sharded;
mod shared;
mod snapshot;
mod standing;
mod store;
mod subscription;
#[cfg(feature = "testing")]
pub mod testing;
mod topic;
mod welcome;

pub use self::{
    builder::HubBuilder,
    bus::{Bus, BusCapabilities, BusStats},
    event::{Delivery, Event, Gap},
    figures::Stats,
    history::History,
    hub::Hub,
    id::{NodeId, Position, SessionId},
    join::Join,
    local::LocalBus,
    member::{MAX_METADATA_BYTES, Member},
    name::{MAX_NAME_BYTES, RoomName},
    observe::HubObserver,
    options::RoomOptions,
    publish::{Publish, Published},
    room::Room,
    seat::Seat,
    snapshot::RoomSnapshot,
    subscription::Subscription,
    welcome::Welcome,
};
