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

/// The first timers have a place in every table: most sessions have no others, most of the time.
const COMMON: usize = 2;

/// One optional deadline for each [`Timer`].
#[derive(Debug)]
pub(crate) struct TimerTable {
    /// When the session began: what [`Moment`]s are counted from.
    start: Instant,
    common: [Moment; COMMON],
    /// Made when the first of them is set.
    others: Option<Box<[Moment; COUNT - COMMON]>>,
    /// The earliest of them: asked for every turn, while they change far more rarely.
    next: Moment,
}

/// A point in a session's time, in nanoseconds since it began: half the room of an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// When the session begins.
    pub(crate) const START: Self = Self(0);

    /// The deadline of a timer that is not set.
    const NEVER: Self = Self(u64::MAX);

    /// The last that can be counted, five centuries behind the start. Later ones are this one.
    const LAST: Self = Self(u64::MAX - 1);
}

impl TimerTable {
    pub(crate) fn new(start: Instant) -> Self {
        Self {
            start,
            common: [Moment::NEVER; COMMON],
            others: None,
            next: Moment::NEVER,
        }
    }

    /// When the session began.
    pub(crate) fn start(&self) -> Instant {
        self.start
    }

    pub(crate) fn set(&mut self, timer: Timer, deadline: Instant) {
        self.put(timer, self.moment(deadline));
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        if self.is_set(timer) {
            self.put(timer, Moment::NEVER);
        }
    }

    pub(crate) fn stop_all(&mut self) {
        *self = Self::new(self.start);
    }

    /// Gives memory back where only common timers are set.
    pub(crate) fn shrink(&mut self) {
        let is_unused = |others: &mut Box<[Moment; _]>| **others == [Moment::NEVER; _];
        self.others.take_if(is_unused);
    }

    pub(crate) fn get(&self, timer: Timer) -> Option<Instant> {
        self.deadline_at(self.place(timer))
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.place(timer) != Moment::NEVER
    }

    /// The earliest deadline.
    #[inline]
    pub(crate) fn next(&self) -> Option<Instant> {
        self.deadline_at(self.next)
    }

    /// Stops and returns a timer whose deadline has passed.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Timer> {
        // A deadline later than can be counted never comes: it would be set and due again for ever.
        let now = self.moment(now);
        let due = |timer: &Timer| self.place(*timer) <= now && self.place(*timer) < Moment::LAST;
        let timer = ALL.into_iter().find(due)?;
        self.stop(timer);
        Some(timer)
    }

    /// An instant in the session's time.
    #[inline]
    pub(crate) fn moment(&self, at: Instant) -> Moment {
        let since = at.saturating_duration_since(self.start);
        let seconds = since.as_secs().saturating_mul(1_000_000_000);
        let nanos = seconds.saturating_add(u64::from(since.subsec_nanos()));
        Moment(nanos).min(Moment::LAST)
    }

    /// The other way round.
    #[inline]
    pub(crate) fn instant(&self, moment: Moment) -> Instant {
        self.start + Duration::from_nanos(moment.0)
    }

    #[inline]
    fn place(&self, timer: Timer) -> Moment {
        let at = timer as usize;
        match self.common.get(at) {
            Some(deadline) => *deadline,
            None => match &self.others {
                Some(others) => others[at - COMMON],
                None => Moment::NEVER,
            },
        }
    }

    fn put(&mut self, timer: Timer, deadline: Moment) {
        let at = timer as usize;
        let before = self.place(timer);
        match self.common.get_mut(at) {
            Some(place) => *place = deadline,
            None => {
                let others = &mut self.others;
                let others = others.get_or_insert_with(|| Box::new([Moment::NEVER; _]));
                others[at - COMMON] = deadline;
            }
        }
        if deadline <= self.next {
            self.next = deadline;
        } else if before == self.next {
            self.next = self.earliest();
        }
    }

    fn earliest(&self) -> Moment {
        let others = self.others.as_deref().into_iter().flatten();
        let all = self.common.iter().chain(others);
        all.copied().min().unwrap_or(Moment::NEVER)
    }

    fn deadline_at(&self, moment: Moment) -> Option<Instant> {
        // One that never comes must not be told as due either: whoever asks would never sleep.
        (moment < Moment::LAST).then(|| self.instant(moment))
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
        assert_eq!(table.next(), None, "whoever asks would never sleep");
        table.set(Timer::Heartbeat, start + Duration::from_secs(1));
        assert_eq!(table.expire(start + centuries), Some(Timer::Heartbeat));
    }

    #[test]
    fn the_room_of_rare_timers_is_given_back_when_none_is_set() {
        let now = Instant::now();
        let mut table = TimerTable::new(now);
        table.set(Timer::Pong, now);
        table.set(Timer::Write, now);
        table.shrink();
        assert!(table.is_set(Timer::Write));
        table.stop(Timer::Write);
        assert!(table.others.is_some());
        table.shrink();
        assert!(table.others.is_none() && table.is_set(Timer::Pong));
        assert_eq!(table.next(), Some(now));
    }

    #[test]
    fn every_timer_has_its_place() {
        for (at, timer) in ALL.into_iter().enumerate() {
            assert!(!ALL[..at].contains(&timer));
            assert!((timer as usize) < COUNT);
        }
    }
}
