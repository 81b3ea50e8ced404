//! A map that many look into at once.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    sync::{Mutex, MutexGuard},
};

use crate::words::lock;

/// Rooms and sessions are spread over so many locks.
const SHARDS: usize = 32;

/// A map under many locks.
pub(crate) struct Sharded<K, V> {
    pub(crate) shards: [Mutex<HashMap<K, V>>; SHARDS],
    hasher: RandomState,
}

impl<K: Hash + Eq, V: Clone> Sharded<K, V> {
    pub(crate) fn shard(&self, key: &K) -> usize {
        usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or_default()
    }

    pub(crate) fn lock(&self, key: &K) -> MutexGuard<'_, HashMap<K, V>> {
        lock(&self.shards[self.shard(key)])
    }

    pub(crate) fn values(&self) -> Vec<V> {
        let shards = self.shards.iter();
        shards.fold(Vec::new(), |mut all, shard| {
            all.extend(lock(shard).values().cloned());
            all
        })
    }
}

impl<K, V> Default for Sharded<K, V> {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
        }
    }
}

/// Gives memory back after many have gone.
pub(crate) fn shrink<K: Hash + Eq, V>(map: &mut HashMap<K, V>) {
    if map.capacity() > 64 && map.capacity() / 8 > map.len() {
        map.shrink_to(map.len() * 2);
    }
}
