//! The ping that is out, if one is.

use std::time::Duration;

use crate::session::timer::Moment;

#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    /// Counts pings, so that no two in a row carry the same payload.
    serial: u32,
    /// A ping waits to be sent. It has a place of its own: nothing pushes it out.
    pub(super) is_due: bool,
    /// The ping whose pong is waited for.
    pub(super) ping: Ping,
    /// In microseconds; more than an hour is as long as any.
    round_trip: Option<u32>,
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
    SentAt(Moment),
}

impl Heartbeat {
    pub(super) fn round_trip(&self) -> Option<Duration> {
        let micros = u64::from(self.round_trip?);
        Some(Duration::from_micros(micros))
    }

    pub(super) fn set_round_trip(&mut self, round_trip: Duration) {
        let micros = u32::try_from(round_trip.as_micros());
        self.round_trip = Some(micros.unwrap_or(u32::MAX));
    }

    /// Another ping is to be sent.
    pub(super) fn beat(&mut self) {
        self.serial = self.serial.wrapping_add(1);
        self.is_due = true;
    }

    pub(super) fn payload(&self) -> [u8; 8] {
        u64::from(self.serial).to_be_bytes()
    }
}
