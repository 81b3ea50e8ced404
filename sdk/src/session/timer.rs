//! Deadlines by name.

use std::time::{Duration, Instant};

/// What a session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Inbound silence until the next ping.
    Heartbeat,
    /// The pong of the ping that is out.
    Pong,
    /// Inbound data.
    Idle,
    /// The first message.
    FirstMessage,
    /// The end of the session's age.
    MaxAge,
    /// The end of the principal's credential.
    Credential,
    /// Tokens in the rate limit's bucket.
    Rate,
    /// The peer taking what was sent.
    Write,
    /// The close handshake.
    Close,
    /// A handler that outlives its connection.
    HandlerGrace,
}

/// In the order in which they fire when several are due: those that end a session first.
const ALL: [Timer; COUNT] = [
    Timer::Close,
    Timer::Write,
    Timer::Pong,
    Timer::HandlerGrace,
    Timer::Credential,
    Timer::MaxAge,
    Timer::FirstMessage,
    Timer::Idle,
    Timer::Heartbeat,
    Timer::Rate,
];
const COUNT: usize = 10;

/// One optional deadline for each [`Timer`].
#[derive(Debug)]
pub(crate) struct TimerTable {
    /// When the session began. Deadlines are kept in nanoseconds since then, in half the room of
    /// instants.
    start: Instant,
    deadlines: [u64; COUNT],
    /// The earliest of them: asked for every turn, while they change far more rarely.
    next: u64,
}

/// The deadline of a timer that is not set.
const NEVER: u64 = u64::MAX;

/// The last deadline that can be counted, five centuries behind the start. Later ones are this one.
const LAST: u64 = NEVER - 1;

impl TimerTable {
    pub(crate) fn new(start: Instant) -> Self {
        Self {
            start,
            deadlines: [NEVER; COUNT],
            next: NEVER,
        }
    }

    /// When the session began.
    pub(crate) fn start(&self) -> Instant {
        self.start
    }

    pub(crate) fn set(&mut self, timer: Timer, deadline: Instant) {
        self.deadlines[timer as usize] = self.since_start(deadline);
        self.find_next();
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        if self.is_set(timer) {
            self.deadlines[timer as usize] = NEVER;
            self.find_next();
        }
    }

    pub(crate) fn stop_all(&mut self) {
        *self = Self::new(self.start);
    }

    pub(crate) fn get(&self, timer: Timer) -> Option<Instant> {
        self.instant(self.deadlines[timer as usize])
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.deadlines[timer as usize] != NEVER
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.instant(self.next)
    }

    /// Stops and returns a timer whose deadline has passed.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Timer> {
        // A deadline later than can be counted never comes: it would be set and due again for ever.
        let now = self.since_start(now).min(LAST - 1);
        let due = |timer: &Timer| self.deadlines[*timer as usize] <= now;
        let timer = ALL.into_iter().find(due)?;
        self.stop(timer);
        Some(timer)
    }

    fn find_next(&mut self) {
        self.next = self.deadlines.into_iter().min().unwrap_or(NEVER);
    }

    fn since_start(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start).as_nanos();
        u64::try_from(since).map_or(LAST, |since| since.min(LAST))
    }

    fn instant(&self, since_start: u64) -> Option<Instant> {
        let since = Duration::from_nanos(since_start);
        (since_start != NEVER).then(|| self.start + since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_expire_once_and_the_ending_ones_first() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut table = TimerTable::new(now);
        table.set(Timer::Heartbeat, now);
        table.set(Timer::Close, now);
        table.set(Timer::Idle, later);
        assert_eq!(table.next(), Some(now));
        assert_eq!(table.expire(now), Some(Timer::Close));
        assert_eq!(table.expire(now), Some(Timer::Heartbeat));
        assert_eq!(table.expire(now), None);
        assert_eq!(table.next(), Some(later));
    }

    #[test]
    fn a_deadline_that_cannot_be_counted_never_comes() {
        let start = Instant::now();
        let centuries = Duration::from_secs(1000 * 365 * 24 * 3600);
        let mut table = TimerTable::new(start);
        table.set(Timer::Heartbeat, start + centuries);
        assert_eq!(table.expire(start + centuries), None);
        table.set(Timer::Heartbeat, start + Duration::from_secs(1));
        assert_eq!(table.expire(start + centuries), Some(Timer::Heartbeat));
    }

    #[test]
    fn every_timer_has_its_place() {
        for (at, timer) in ALL.into_iter().enumerate() {
            assert!(!ALL[..at].contains(&timer));
            assert!((timer as usize) < COUNT);
        }
    }
}
