//! How much of a room is kept.

use std::time::Duration;

/// How much of a room is kept, so that a member can come back to where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// How many messages.
    pub messages: usize,
    /// For how long each.
    pub age: Duration,
}

impl History {
    /// Keeps so many messages, each for so long.
    pub fn new(messages: usize, age: Duration) -> Self {
        Self { messages, age }
    }

    /// How long a bus remembers where a quiet room's history ended, so that who comes back late
    /// and missed nothing is told so.
    pub fn remembered_for(self) -> Duration {
        self.age + Duration::from_secs(3600)
    }
}
