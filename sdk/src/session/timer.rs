//! Deadlines by name.

use std::time::Instant;

use super::moment::Moment;

/// What a session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
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
    /// Inbound silence until the next ping; once that is out, its pong.
    Heartbeat,
}

/// Those that fire first when several are due: the peer is gone. A pong that is missing says so too.
const FIRST: [Timer; 2] = [Timer::Close, Timer::Write];

/// And then, in this order: those that end a session first.
const OTHERS: [Timer; COUNT - FIRST.len()] = [
    Timer::HandlerGrace,
    Timer::Credential,
    Timer::MaxAge,
    Timer::FirstMessage,
    Timer::Idle,
    Timer::Heartbeat,
    Timer::Rate,
];
const COUNT: usize = 9;

/// One optional deadline for each [`Timer`].
#[derive(Debug)]
pub(crate) struct TimerTable {
    /// When the session began.
    start: Moment,
    /// It has a place in every table: most sessions have no other timer, most of the time.
    heartbeat: Moment,
    /// Made when the first of them is set.
    others: Option<Box<Others>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Others {
    /// Of every timer but the heartbeat, the last.
    deadlines: [Moment; COUNT - 1],
    /// The earliest of them: asked for every turn, while they change far more rarely.
    next: Moment,
}

impl Others {
    const UNUSED: Self = Self {
        deadlines: [Moment::NEVER; _],
        next: Moment::NEVER,
    };

    fn put(&mut self, timer: Timer, deadline: Moment) {
        let before = std::mem::replace(&mut self.deadlines[timer as usize], deadline);
        if deadline <= self.next {
            self.next = deadline;
        } else if before == self.next {
            self.next = self.deadlines.into_iter().fold(Moment::NEVER, Moment::min);
        }
    }
}

impl TimerTable {
    pub(crate) fn new(start: Instant) -> Self {
        Self::since(Moment::of(start))
    }

    fn since(start: Moment) -> Self {
        Self {
            start,
            heartbeat: Moment::NEVER,
            others: None,
        }
    }

    /// When the session began.
    pub(crate) fn start(&self) -> Instant {
        self.start.instant()
    }

    pub(crate) fn set(&mut self, timer: Timer, deadline: Instant) {
        self.put(timer, Moment::of(deadline));
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        if self.is_set(timer) {
            self.put(timer, Moment::NEVER);
        }
    }

    pub(crate) fn stop_all(&mut self) {
        *self = Self::since(self.start);
    }

    /// Gives memory back where only the heartbeat is set.
    pub(crate) fn shrink(&mut self) {
        self.others.take_if(|others| **others == Others::UNUSED);
    }

    pub(crate) fn get(&self, timer: Timer) -> Option<Instant> {
        let deadline = self.place(timer);
        deadline.comes().then(|| deadline.instant())
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.place(timer) != Moment::NEVER
    }

    /// The earliest deadline; [`Moment::NEVER`] if there is none that comes.
    #[inline]
    pub(crate) fn next(&self) -> Moment {
        let next = match &self.others {
            Some(others) => self.heartbeat.min(others.next),
            None => self.heartbeat,
        };
        // One that never comes must not be told as due either: whoever asks would never sleep.
        if next.comes() { next } else { Moment::NEVER }
    }

    /// Stops and returns a timer whose deadline has passed. Whether a ping is out says what the
    /// heartbeat's time is for.
    pub(crate) fn expire(&mut self, now: Instant, is_ping_out: bool) -> Option<Timer> {
        let now = Moment::of(now);
        let due = |timer: &Timer| self.place(*timer) <= now && self.place(*timer).comes();
        let pong = is_ping_out.then_some(Timer::Heartbeat);
        let timer = FIRST.into_iter().chain(pong).chain(OTHERS).find(due)?;
        self.stop(timer);
        Some(timer)
    }

    #[inline]
    fn place(&self, timer: Timer) -> Moment {
        match (timer, &self.others) {
            (Timer::Heartbeat, _) => self.heartbeat,
            (_, Some(others)) => others.deadlines[timer as usize],
            (_, None) => Moment::NEVER,
        }
    }

    fn put(&mut self, timer: Timer, deadline: Moment) {
        if timer == Timer::Heartbeat {
            self.heartbeat = deadline;
            return;
        }
        let others = &mut self.others;
        let others = others.get_or_insert_with(|| Box::new(Others::UNUSED));
        others.put(timer, deadline);
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
        let mut table = TimerTable::new(now);
        table.set(Timer::Heartbeat, now);
        table.set(Timer::Close, now);
        table.set(Timer::Idle, later);
        assert_eq!(table.next(), Moment::of(now));
        assert_eq!(table.expire(now, false), Some(Timer::Close));
        assert_eq!(table.expire(now, false), Some(Timer::Heartbeat));
        assert_eq!(table.expire(now, false), None);
        assert_eq!(table.next(), Moment::of(later));
    }

    #[test]
    fn a_missing_pong_goes_before_what_may_end_a_session_and_a_ping_behind_it() {
        let now = Instant::now();
        for (is_ping_out, first) in [(true, Timer::Heartbeat), (false, Timer::Idle)] {
            let mut table = TimerTable::new(now);
            table.set(Timer::Heartbeat, now);
            table.set(Timer::Idle, now);
            assert_eq!(table.expire(now, is_ping_out), Some(first));
        }
    }

    #[test]
    fn a_deadline_that_cannot_be_counted_never_comes() {
        let start = Instant::now();
        let centuries = Duration::from_secs(1000 * 365 * 24 * 3600);
        let mut table = TimerTable::new(start);
        table.set(Timer::Heartbeat, start + centuries);
        assert_eq!(table.expire(start + centuries, false), None);
        assert_eq!(
            table.next(),
            Moment::NEVER,
            "whoever asks would never sleep"
        );
        table.set(Timer::Heartbeat, start + Duration::from_secs(1));
        assert_eq!(
            table.expire(start + centuries, false),
            Some(Timer::Heartbeat)
        );
    }

    #[test]
    fn the_room_of_rare_timers_is_given_back_when_none_is_set() {
        let now = Instant::now();
        let mut table = TimerTable::new(now);
        table.set(Timer::Heartbeat, now);
        table.set(Timer::Write, now);
        table.shrink();
        assert!(table.is_set(Timer::Write));
        table.stop(Timer::Write);
        assert!(table.others.is_some());
        table.shrink();
        assert!(table.others.is_none() && table.is_set(Timer::Heartbeat));
        assert_eq!(table.next(), Moment::of(now));
    }

    #[test]
    fn every_timer_has_its_place() {
        let all: Vec<_> = FIRST.into_iter().chain(OTHERS).collect();
        for (at, timer) in all.iter().copied().enumerate() {
            assert!(!all[..at].contains(&timer));
            assert!((timer as usize) < COUNT);
        }
    }
}
