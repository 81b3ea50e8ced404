//! Where frames go.

use crate::words::name::RoomName;

/// Where a frame goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// To every node of the app.
    App,
    /// To the nodes that have somebody in this room.
    Room(RoomName),
}
