//! The ping that is out, if one is.

use std::time::{Duration, Instant};

use crate::wire::Unfinished;

#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    /// Counts pings, so that no two in a session carry the same payload.
    pub(super) serial: u64,
    pub(super) ping: Ping,
    pub(super) round_trip: Option<Duration>,
    /// What the silence timer last saw of a message under way.
    pub(super) mark: Unfinished,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ping {
    #[default]
    None,
    /// Queued, or in the transport's buffer: the pong clock does not run.
    Unsent,
    SentAt(Instant),
}

impl Heartbeat {
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    pub(super) fn payload(&self) -> [u8; 8] {
        self.serial.to_be_bytes()
    }
}
