//! Rooms, presence and history for Wharf's sockets, in one process or over many.
//!
//! A [`Hub`] has all rooms of an app. A [`Room`] is a name under which sockets hear the same; a
//! [`Seat`] is a socket's place in it, and dropping it leaves. What carries rooms between nodes is
//! a [`Bus`](bus::Bus): the crates `wharf-redis` and `wharf-nats` have one each, and a hub without
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

// From the ground up.
pub mod bus;
mod cells;
mod ground;
mod handles;
mod keep;
mod state;
#[cfg(feature = "testing")]
pub mod testing;
mod upkeep;
mod words;

pub use self::{
    ground::{HubObserver, RoomOptions, Stats},
    handles::{Hub, HubBuilder, Join, Publish, Published, Room, RoomSnapshot, Seat, Subscription},
    words::{
        Delivery, Event, Gap, History, MAX_METADATA_BYTES, MAX_NAME_BYTES, Member, NodeId,
        Position, RoomName, SessionId, Welcome,
    },
};
