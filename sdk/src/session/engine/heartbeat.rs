//! The ping that is out, if one is.

use std::{num::NonZeroU32, time::Duration};

use crate::session::moment::Moment;

#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    /// Counts pings, so that no two in a row carry the same payload.
    serial: u16,
    /// A ping waits to be sent. It has a place of its own: nothing pushes it out.
    pub(super) is_due: bool,
    /// The ping whose pong is waited for, and what [`Ping`] has to say of where it is.
    way: Way,
    mark: u64,
    /// In microseconds; more than an hour is as long as any, and less than one as short.
    round_trip: Option<NonZeroU32>,
}

/// How far a ping has come.
#[derive(Debug, Default, Clone, Copy)]
enum Way {
    #[default]
    None,
    Unsent,
    Leaving,
    Sent,
}

/// The ping whose pong is waited for. Kept in less room than this takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ping {
    None,
    /// Not handed to the transport yet.
    Unsent,
    /// In the transport's buffer until this many bytes of the session's have left: the pong clock
    /// does not run.
    Leaving(u64),
    SentAt(Moment),
}

impl Heartbeat {
    #[inline]
    pub(super) fn ping(&self) -> Ping {
        match self.way {
            Way::None => Ping::None,
            Way::Unsent => Ping::Unsent,
            Way::Leaving => Ping::Leaving(self.mark),
            Way::Sent => Ping::SentAt(Moment::from_nanos(self.mark)),
        }
    }

    /// Whether a pong may be missing: its clock runs.
    pub(super) fn is_ping_out(&self) -> bool {
        matches!(self.way, Way::Sent)
    }

    pub(super) fn set_ping(&mut self, ping: Ping) {
        (self.way, self.mark) = match ping {
            Ping::None => (Way::None, 0),
            Ping::Unsent => (Way::Unsent, 0),
            Ping::Leaving(end) => (Way::Leaving, end),
            Ping::SentAt(moment) => (Way::Sent, moment.nanos()),
        };
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        let micros = self.round_trip?.get();
        Some(Duration::from_micros(micros.into()))
    }

    pub(super) fn set_round_trip(&mut self, round_trip: Duration) {
        let micros = u32::try_from(round_trip.as_micros()).unwrap_or(u32::MAX);
        self.round_trip = Some(NonZeroU32::new(micros).unwrap_or(NonZeroU32::MIN));
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
