//! Deadlines by name.

use std::time::Instant;

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
#[derive(Debug, Default)]
pub(crate) struct TimerTable {
    deadlines: [Option<Instant>; COUNT],
    /// The earliest of them: asked for every turn, while they change far more rarely.
    next: Option<Instant>,
}

impl TimerTable {
    pub(crate) fn set(&mut self, timer: Timer, deadline: Instant) {
        self.deadlines[timer as usize] = Some(deadline);
        self.find_next();
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        if self.is_set(timer) {
            self.deadlines[timer as usize] = None;
            self.find_next();
        }
    }

    pub(crate) fn stop_all(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn get(&self, timer: Timer) -> Option<Instant> {
        self.deadlines[timer as usize]
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.get(timer).is_some()
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Stops and returns a timer whose deadline has passed.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Timer> {
        let due = |timer: &Timer| self.deadlines[*timer as usize].is_some_and(|at| at <= now);
        let timer = ALL.into_iter().find(due)?;
        self.stop(timer);
        Some(timer)
    }

    fn find_next(&mut self) {
        self.next = self.deadlines.iter().flatten().min().copied();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_expire_once_and_the_ending_ones_first() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut table = TimerTable::default();
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
    fn every_timer_has_its_place() {
        for (at, timer) in ALL.into_iter().enumerate() {
            assert!(!ALL[..at].contains(&timer));
            assert!((timer as usize) < COUNT);
        }
    }
}
