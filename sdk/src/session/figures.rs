//! What a session has moved and holds, while it lives.

use std::time::Duration;

use super::{engine::Counts, sender::Sender};

/// What a session has moved and holds, while it lives: made by [`Sender::figures`].
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// What it has moved.
    pub counts: Counts,
    /// Payload bytes that wait to be sent.
    pub queue_bytes: usize,
    /// The time between the last ping and its pong, once one was answered.
    pub round_trip: Option<Duration>,
}

impl Sender {
    /// What the session has moved and holds now. Costs one short lock of the session.
    pub fn figures(&self) -> Figures {
        let state = self.shared().lock();
        Figures {
            counts: state.engine.counts(),
            queue_bytes: state.engine.queued_bytes(),
            round_trip: state.engine.round_trip(),
        }
    }
}
