//! What happened in each of the last seconds.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use serde::{Serialize, Serializer};
use tokio::time::Instant;

/// How many seconds are kept: ten minutes.
const SECONDS: u64 = 600;

/// How many different codes are kept of a second; peers choose some of them.
const CODES: usize = 16;

/// What connections did is counted as it happens, whether or not somebody watches. What messages
/// move costs a look at every session, so it is known only of seconds in which somebody did.
pub(crate) struct Rates {
    started: (Instant, SystemTime),
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seconds: VecDeque<Second>,
    live: u64,
    /// What ended sessions moved.
    ended: Moved,
    /// The second up to which is known what messages moved.
    moved_until: u64,
}

/// What happened in a second.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Second {
    /// Seconds since 1970.
    pub(crate) at: u64,
    /// Sessions at its end.
    sessions: u64,
    connects: u64,
    rejections: Codes,
    closes: Codes,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<Moved>,
}

/// Messages and payload bytes.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Moved {
    pub(crate) messages_in: u64,
    pub(crate) messages_out: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

/// How often each code.
#[derive(Debug, Clone, Default)]
struct Codes(Vec<(Box<str>, u64)>);

impl Default for Rates {
    fn default() -> Self {
        Self {
            started: (Instant::now(), SystemTime::now()),
            state: Mutex::default(),
        }
    }
}

impl Rates {
    pub(crate) fn connected(&self) {
        let mut state = self.lock();
        // Seconds that were not begun yet had as many as there were until now.
        state.second(self.now());
        state.live += 1;
        let live = state.live;
        let second = state.second(self.now());
        second.connects += 1;
        second.sessions = live;
    }

    pub(crate) fn rejected(&self, code: &str) {
        self.lock().second(self.now()).rejections.add(code);
    }

    pub(crate) fn closed(&self, code: &str, moved: Moved) {
        let mut state = self.lock();
        state.second(self.now());
        state.live = state.live.saturating_sub(1);
        state.ended = state.ended.plus(moved);
        let live = state.live;
        let second = state.second(self.now());
        second.closes.add(code);
        second.sessions = live;
    }

    /// What ended sessions moved.
    pub(crate) fn ended(&self) -> Moved {
        self.lock().ended
    }

    /// So much was moved in the time until now.
    pub(crate) fn moved(&self, moved: Moved, time: Duration) {
        let a_second = moved.per_second(time);
        let now = self.now();
        let mut state = self.lock();
        state.second(now);
        // What this time is a part of, at both of its ends.
        let known = state
            .moved_until
            .max(now.saturating_sub(time.as_secs() + 1));
        let unknown = state.seconds.iter_mut().rev();
        for second in unknown.take_while(|second| second.at > known) {
            second.moved = Some(a_second);
        }
        state.moved_until = now;
    }

    /// The seconds that are over and come behind this one.
    pub(crate) fn since(&self, at: u64) -> Vec<Second> {
        let now = self.now();
        let mut state = self.lock();
        state.second(now);
        let seconds = state.seconds.iter();
        let over = seconds.filter(|second| second.at > at && second.at < now);
        over.cloned().collect()
    }

    /// Seconds since 1970, on a clock that is never set back.
    fn now(&self) -> u64 {
        let (instant, time) = self.started;
        let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH);
        (since_1970.unwrap_or_default() + instant.elapsed()).as_secs()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is inside is figures, valid whatever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// This second; those in which nothing happened are made up for.
    fn second(&mut self, now: u64) -> &mut Second {
        let next = self.seconds.back().map_or(now, |last| last.at + 1);
        for at in next.max((now + 1).saturating_sub(SECONDS))..=now {
            self.seconds.push_back(Second {
                at,
                sessions: self.live,
                ..Second::default()
            });
        }
        let oldest = now.saturating_sub(SECONDS);
        while self.seconds.len() > 1 && self.seconds[0].at <= oldest {
            self.seconds.pop_front();
        }
        let last = self.seconds.len() - 1;
        &mut self.seconds[last]
    }
}

impl Moved {
    pub(crate) fn plus(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    /// What came since. A session that ends while it is counted may be in both for a moment.
    pub(crate) fn minus(self, before: Self) -> Self {
        self.with(before, u64::saturating_sub)
    }

    fn per_second(self, time: Duration) -> Self {
        let nanos = time.as_nanos().max(1);
        let rate = |count: u64, _| {
            // To the nearest: a second and a little is a second.
            let rate = (u128::from(count) * 1_000_000_000 + nanos / 2) / nanos;
            u64::try_from(rate).unwrap_or(u64::MAX)
        };
        self.with(Self::default(), rate)
    }

    fn with(self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            messages_in: join(self.messages_in, other.messages_in),
            messages_out: join(self.messages_out, other.messages_out),
            bytes_in: join(self.bytes_in, other.bytes_in),
            bytes_out: join(self.bytes_out, other.bytes_out),
        }
    }
}

impl Codes {
    fn add(&mut self, code: &str) {
        let is_full = self.0.len() >= CODES;
        match self.0.iter_mut().find(|(known, _)| &**known == code) {
            Some((_, count)) => *count += 1,
            None if is_full && code != "other" => self.add("other"),
            None => self.0.push((code.into(), 1)),
        }
    }
}

impl Serialize for Codes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(code, count)| (code, count)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::{CODES, Moved, Rates, SECONDS};

    fn moved(messages_in: u64) -> Moved {
        Moved {
            messages_in,
            ..Moved::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_has_what_happened_in_it_and_the_others_are_made_up_for() {
        let rates = Rates::default();
        rates.connected();
        rates.connected();
        advance(Duration::from_secs(3)).await;
        rates.closed("1000", moved(7));
        rates.rejected("WHARF_NOT_FOUND");
        assert_eq!(rates.since(0).len(), 3, "the second under way is not over");
        advance(Duration::from_secs(1)).await;
        let seconds = rates.since(0);
        let figures: Vec<_> = seconds.iter().map(|s| (s.connects, s.sessions)).collect();
        assert_eq!(figures, [(2, 2), (0, 2), (0, 2), (0, 1)]);
        assert_eq!(&*seconds[3].closes.0[0].0, "1000");
        assert_eq!(rates.ended().messages_in, 7);
        assert_eq!(rates.since(seconds[2].at).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn ten_minutes_are_kept_however_long_nothing_happens() {
        let rates = Rates::default();
        rates.connected();
        advance(Duration::from_secs(1_000_000)).await;
        let seconds = rates.since(0);
        assert_eq!(seconds.len() as u64, SECONDS - 1);
        assert_eq!(seconds[0].sessions, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_moved_is_a_rate_and_unknown_where_nobody_looked() {
        let rates = Rates::default();
        rates.connected();
        advance(Duration::from_secs(10)).await;
        rates.moved(moved(300), Duration::from_secs(3));
        advance(Duration::from_secs(1)).await;
        let known: Vec<_> = rates
            .since(0)
            .iter()
            .map(|second| second.moved.map(|moved| moved.messages_in))
            .collect();
        assert_eq!(known[6], None);
        assert_eq!(known[7..], [Some(100); 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn codes_that_peers_make_up_are_bounded() {
        let rates = Rates::default();
        for code in 4000..5000 {
            rates.closed(&code.to_string(), Moved::default());
        }
        advance(Duration::from_secs(1)).await;
        let codes = &rates.since(0)[0].closes.0;
        assert_eq!(codes.len(), CODES + 1);
        assert_eq!(codes[CODES], ("other".into(), 1000 - CODES as u64));
    }
}
