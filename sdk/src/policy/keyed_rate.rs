//! A rate for each of very many keys.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, Hash, RandomState},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Keys are spread over this many locks.
const SHARDS: usize = 16;

/// Keys that are remembered at once, over all: some tens of megabytes. Of more, the oldest are
/// forgotten.
const MAX_KEYS: usize = 1 << 20;

/// A rate for each key, with a burst of all that a period allows.
///
/// Asking costs the same however many keys there are: each forgets at most two that have been idle,
/// and none goes through the table.
#[derive(Debug)]
pub(crate) struct KeyedRate<K> {
    /// What one costs.
    interval: Duration,
    /// How much may be owed.
    tolerance: Duration,
    hasher: RandomState,
    shards: [Mutex<Shard<K>>; SHARDS],
}

#[derive(Debug)]
struct Shard<K> {
    /// When each key will have paid for what it took.
    paid_at: HashMap<K, Instant>,
    /// The keys, those that were looked at longest ago first, with what was true then: a key has
    /// paid no sooner than that, so that most looks need no look into the table.
    oldest: VecDeque<(K, Instant)>,
}

impl<K> Default for Shard<K> {
    fn default() -> Self {
        Self {
            paid_at: HashMap::new(),
            oldest: VecDeque::new(),
        }
    }
}

impl<K: Hash + Eq + Clone> KeyedRate<K> {
    /// Allows each key `count` in a period, at least one.
    pub(crate) fn new(count: u32, period: Duration) -> Self {
        let interval = period / count.max(1);
        Self {
            interval,
            tolerance: period.saturating_sub(interval),
            hasher: RandomState::new(),
            shards: Default::default(),
        }
    }

    /// Takes one for this key, or tells how long to wait for it.
    pub(crate) fn take(&self, key: &K, now: Instant) -> Result<(), Duration> {
        let at = self.hasher.hash_one(key) as usize % SHARDS;
        // The guarded section only counts.
        let mut shard = self.shards[at]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        shard.forget_idle(now);
        let paid_at = shard.paid_at.get(key).map_or(now, |at| (*at).max(now));
        let wait = paid_at.saturating_duration_since(now + self.tolerance);
        if !wait.is_zero() {
            return Err(wait);
        }
        shard.put(key, paid_at + self.interval);
        Ok(())
    }
}

impl<K: Hash + Eq + Clone> Shard<K> {
    fn put(&mut self, key: &K, paid_at: Instant) {
        if let Some(known) = self.paid_at.get_mut(key) {
            *known = paid_at;
            return;
        }
        if self.oldest.len() >= MAX_KEYS / SHARDS {
            self.forget_oldest();
        }
        self.paid_at.insert(key.clone(), paid_at);
        self.oldest.push_back((key.clone(), paid_at));
    }

    /// More than one a look, so that idle keys go faster than new ones come. One that has not paid
    /// yet holds up those behind it, for a period at most.
    fn forget_idle(&mut self, now: Instant) {
        for _ in 0..2 {
            let Some((key, paid_at)) = self.oldest.front_mut() else {
                return;
            };
            if *paid_at > now {
                return;
            }
            match self.paid_at.get(key) {
                Some(at) if *at > now => {
                    *paid_at = *at;
                    self.oldest.rotate_left(1);
                }
                _ => self.forget_oldest(),
            }
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((oldest, _)) = self.oldest.pop_front() {
            self.paid_at.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn keys<K>(rate: &KeyedRate<K>) -> usize {
        let count = |shard: &Mutex<Shard<K>>| {
            let shard = shard.lock().expect("not poisoned");
            assert_eq!(shard.paid_at.len(), shard.oldest.len());
            shard.oldest.len()
        };
        rate.shards.iter().map(count).sum()
    }

    #[test]
    fn a_burst_then_the_rate_for_each_key() {
        let start = Instant::now();
        let rate = KeyedRate::new(2, SECOND);
        for key in ["a", "b"] {
            rate.take(&key, start).expect("one");
            rate.take(&key, start).expect("two");
            let wait = rate.take(&key, start).expect_err("three");
            assert_eq!(wait, SECOND / 2);
            rate.take(&key, start + wait).expect("after the wait");
        }
    }

    #[test]
    fn nobody_gets_more_over_time() {
        let start = Instant::now();
        let rate = KeyedRate::new(10, SECOND);
        let at = |millis| start + Duration::from_millis(millis);
        let taken = (0..3000).filter(|millis| rate.take(&"a", at(*millis)).is_ok());
        let taken = taken.count();
        assert!(
            (39..=41).contains(&taken),
            "a burst and three seconds: {taken}"
        );
    }

    #[test]
    fn idle_keys_are_forgotten_by_those_who_come() {
        let start = Instant::now();
        let rate = KeyedRate::new(1, SECOND);
        for key in 0..10_000 {
            rate.take(&key, start).expect("its first");
        }
        assert_eq!(keys(&rate), 10_000);
        for key in 10_000..20_000 {
            rate.take(&key, start + SECOND).expect("its first");
        }
        assert!(keys(&rate) <= 10_000 + SHARDS * 2, "{}", keys(&rate));
    }

    #[test]
    fn the_table_is_bounded() {
        let start = Instant::now();
        let few = 1 << 17;
        let mut shard = Shard::default();
        for key in 0..few {
            shard.put(&key, start + SECOND);
        }
        assert_eq!(shard.oldest.len(), MAX_KEYS / SHARDS);
        assert!(
            shard.paid_at.contains_key(&(few - 1)),
            "the newest is in it"
        );
    }
}
