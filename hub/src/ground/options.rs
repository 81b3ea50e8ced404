//! What a room has besides messages.

use std::time::Duration;

use wharf_sdk::Result;

use crate::{
    bus::BusCapabilities,
    words::{History, error},
};

/// What a room has besides messages. All nodes must agree on it: set it by
/// [rule](crate::HubBuilder::rooms_beginning_with) rather than room by room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoomOptions {
    pub(crate) history: Option<History>,
    pub(crate) presence: bool,
}

impl RoomOptions {
    /// Messages only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps so many messages, each for so long: see [`History`].
    #[must_use]
    pub fn with_history(mut self, messages: usize, age: Duration) -> Self {
        self.history = Some(History::new(messages, age));
        self
    }

    /// Knows who is there.
    #[must_use]
    pub fn with_presence(mut self) -> Self {
        self.presence = true;
        self
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            history: self.history.or(other.history),
            presence: self.presence || other.presence,
        }
    }

    pub(crate) fn check(self, bus: BusCapabilities) -> Result<()> {
        if let Some(history) = self.history {
            if history.messages == 0 || history.age.is_zero() {
                return Err(error::config(
                    "a history that keeps nothing; give it at least 1 message and some time",
                ));
            }
            if !bus.history {
                return Err(error::lacks(bus.name, "history"));
            }
        }
        if self.presence && !bus.presence {
            return Err(error::lacks(bus.name, "presence"));
        }
        Ok(())
    }
}
