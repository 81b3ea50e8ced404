//! The ping that is out, if one is.

use std::time::{Duration, Instant};

use super::progress::Mark;

#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    /// Counts pings, so that no two in a session carry the same payload.
    pub(super) serial: u64,
    /// A ping waits to be sent. It has a place of its own: nothing pushes it out.
    pub(super) is_due: bool,
    /// The ping whose pong is waited for.
    pub(super) ping: Ping,
    pub(super) round_trip: Option<Duration>,
    /// What the silence timer last saw of a message under way.
    pub(super) mark: Mark,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ping {
    #[default]
    None,
    /// Not handed to the transport yet.
    Unsent,
    /// In the transport's buffer until this many bytes of the session's have left: the pong clock
    /// does not run.
    Leaving(u64),
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
