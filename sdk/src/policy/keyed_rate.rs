//! A rate for each of very many keys.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Keys are spread over this many locks.
const SHARDS: usize = 16;

/// A bucket that was not asked for this long is full again, so it can be forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(1);

/// A token bucket for each key, filled up within a second.
///
/// Asking costs the same however many keys there are, and a key that is not asked for is forgotten
/// within two seconds: there are never more than came in that time.
pub(crate) struct KeyedRate {
    per_second: u32,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

/// Two generations: what was not asked for since the last change is dropped whole at the next.
#[derive(Default)]
struct Shard {
    young: HashMap<Box<str>, Tokens>,
    old: HashMap<Box<str>, Tokens>,
    changed_at: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Tokens {
    left: f64,
    filled_at: Instant,
}

impl KeyedRate {
    pub(crate) fn per_second(per_second: u32) -> Self {
        Self {
            per_second,
            hasher: RandomState::new(),
            shards: Default::default(),
        }
    }

    /// Takes a token of this key, if it has one.
    pub(crate) fn take(&self, key: &str, now: Instant) -> bool {
        let at = self.hasher.hash_one(key) as usize % SHARDS;
        // The guarded section only counts.
        let mut shard = self.shards[at]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (taken, forgotten) = shard.take(key, f64::from(self.per_second), now);
        drop(shard);
        // A million keys are not given back while others wait.
        drop(forgotten);
        taken
    }
}

impl Shard {
    fn take(
        &mut self,
        key: &str,
        per_second: f64,
        now: Instant,
    ) -> (bool, HashMap<Box<str>, Tokens>) {
        let forgotten = self.forget(now);
        if !self.young.contains_key(key) {
            let tokens = self.old.remove(key).unwrap_or(Tokens {
                left: per_second,
                filled_at: now,
            });
            self.young.insert(key.into(), tokens);
        }
        let Some(tokens) = self.young.get_mut(key) else {
            return (true, forgotten);
        };
        let passed = now.saturating_duration_since(tokens.filled_at);
        tokens.left = (tokens.left + passed.as_secs_f64() * per_second).min(per_second);
        tokens.filled_at = now;
        let has_one = tokens.left >= 1.0;
        if has_one {
            tokens.left -= 1.0;
        }
        (has_one, forgotten)
    }

    fn forget(&mut self, now: Instant) -> HashMap<Box<str>, Tokens> {
        let changed_at = *self.changed_at.get_or_insert(now);
        if now.saturating_duration_since(changed_at) < FORGET_AFTER {
            return HashMap::new();
        }
        self.changed_at = Some(now);
        std::mem::replace(&mut self.old, std::mem::take(&mut self.young))
    }
}

impl std::fmt::Debug for KeyedRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyedRate")
            .field("per_second", &self.per_second)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(rate: &KeyedRate) -> usize {
        let count = |shard: &Mutex<Shard>| {
            let shard = shard.lock().expect("not poisoned");
            shard.young.len() + shard.old.len()
        };
        rate.shards.iter().map(count).sum()
    }

    #[test]
    fn each_key_has_its_own_rate() {
        let start = Instant::now();
        let rate = KeyedRate::per_second(2);
        assert_eq!([(); 3].map(|()| rate.take("a", start)), [true, true, false]);
        assert!(rate.take("b", start));
        assert!(rate.take("a", start + Duration::from_millis(500)));
        assert!(!rate.take("a", start + Duration::from_millis(501)));
    }

    #[test]
    fn a_change_of_generations_gives_nobody_new_tokens() {
        let start = Instant::now();
        let rate = KeyedRate::per_second(10);
        let mut taken = 0;
        for millis in 0..3000 {
            taken += usize::from(rate.take("a", start + Duration::from_millis(millis)));
        }
        assert!(
            (39..=41).contains(&taken),
            "a burst and three seconds: {taken}"
        );
    }

    #[test]
    fn idle_keys_are_forgotten() {
        let start = Instant::now();
        let rate = KeyedRate::per_second(1);
        for key in 0..10_000 {
            rate.take(&key.to_string(), start);
        }
        assert_eq!(keys(&rate), 10_000);
        for seconds in 2..6 {
            for key in 0..100 {
                rate.take(&key.to_string(), start + Duration::from_secs(seconds));
            }
        }
        assert_eq!(keys(&rate), 100);
    }
}
