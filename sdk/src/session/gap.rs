//! What a peer missed.

use super::engine::Removed;

/// Messages that the slow-client policy dropped: the peer has a gap and should resynchronize.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// How many messages.
    pub messages: u64,
    /// Their payload bytes.
    pub bytes: u64,
}

impl From<Removed> for Gap {
    fn from(removed: Removed) -> Self {
        Self {
            messages: removed.messages,
            bytes: removed.bytes,
        }
    }
}
