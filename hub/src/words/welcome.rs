//! What a member is told first.

use crate::words::id::{Position, SessionId};

/// What a member is told first: see [`Join::welcome`](crate::Join::welcome).
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Welcome {
    /// The session's id, unique over all nodes.
    pub session: SessionId,
    /// Whether everything since the position that was asked for follows; `None` if none was.
    pub resumed: Option<bool>,
    /// Where the room's history stands for this member: behind what it is sent before anything
    /// live. `None` without history, or while the bus is away.
    pub position: Option<Position>,
}
