//! The rooms on this node: made by their first user, and let go of a while after the last.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    cells::Cell,
    ground::RoomOptions,
    keep::{
        sharded::shrink,
        shared::{Shared, Stay},
    },
    words::{RoomName, lock},
};

impl Shared {
    /// The room on this node; made if it is not there.
    pub(crate) fn enter_cell(self: &Arc<Self>, name: &RoomName, options: RoomOptions) -> Stay {
        let mut rooms = self.rooms.lock(name);
        let cell = rooms
            .entry(name.clone())
            .or_insert_with(|| Arc::new(Cell::new(name.clone())));
        let cell = Arc::clone(cell);
        let mut state = cell.lock();
        if state.users == 0 {
            self.node.figures.rooms.fetch_add(1, Ordering::Relaxed);
        }
        state.users += 1;
        state.idle_since = None;
        state.options = options.or(state.options);
        drop(state);
        Stay {
            hub: Arc::clone(self),
            cell,
        }
    }

    /// Somebody uses the room no more.
    fn leave_cell(&self, cell: &Arc<Cell>) {
        let mut rooms = self.rooms.lock(&cell.name);
        let mut state = cell.lock();
        state.users -= 1;
        if state.users > 0 {
            return;
        }
        self.node.figures.rooms.fetch_sub(1, Ordering::Relaxed);
        if self.node.is_shared() {
            let now = Instant::now();
            state.idle_since = Some(now);
            drop(state);
            lock(&self.idle).push_back((now, Arc::downgrade(cell)));
        } else {
            drop(state);
            rooms.remove(&cell.name);
            shrink(&mut rooms);
        }
    }

    /// Lets go of rooms that nobody has used for long enough, in batches.
    pub(crate) fn let_go_of_idle_rooms(&self) {
        let now = Instant::now();
        let mut over: HashMap<usize, Vec<Arc<Cell>>> = HashMap::new();
        {
            let mut idle = lock(&self.idle);
            while let Some((since, _)) = idle.front() {
                if !is_over(*since, self.node.settings.linger, now) {
                    break;
                }
                if let Some((since, cell)) = idle.pop_front()
                    && let Some(cell) = cell.upgrade()
                    && cell.lock().idle_since == Some(since)
                {
                    let shard = self.rooms.shard(&cell.name);
                    over.entry(shard).or_default().push(cell);
                }
            }
        }
        for (shard, cells) in over {
            // Whoever opens the room anew waits for the lock and subscribes behind this.
            let mut rooms = lock(&self.rooms.shards[shard]);
            let mut topics = Vec::new();
            for cell in cells {
                let state = cell.lock();
                if state.users == 0 {
                    rooms.remove(&cell.name);
                    if state.is_subscribed {
                        topics.push(cell.topic());
                    }
                }
            }
            if !topics.is_empty() {
                drop(self.node.bus.unsubscribe(topics));
            }
            shrink(&mut rooms);
        }
    }

    pub(crate) fn cell(&self, name: &RoomName) -> Option<Arc<Cell>> {
        self.rooms.lock(name).get(name).cloned()
    }

    /// Looks at every room, with a part of them locked at a time.
    pub(crate) fn for_each_cell(&self, mut look: impl FnMut(&Arc<Cell>)) {
        for shard in &self.rooms.shards {
            lock(shard).values().for_each(&mut look);
        }
    }

    pub(crate) fn cells(&self) -> Vec<Arc<Cell>> {
        self.rooms.values()
    }

    /// The rooms whose members could not be read.
    pub(crate) fn take_unread(&self) -> Vec<Arc<Cell>> {
        let unread = std::mem::take(&mut *lock(&self.node.unread));
        unread.iter().filter_map(|name| self.cell(name)).collect()
    }

    pub(crate) fn retry_refills(&self) {
        let retries = std::mem::take(&mut *lock(&self.node.retries));
        for cell in retries.iter().filter_map(|name| self.cell(name)) {
            cell.retry_refill(&self.node);
        }
    }

    /// Tells members what they missed, where there is room for it now.
    pub(crate) fn tell_lagging(&self) {
        let lagging = std::mem::take(&mut *lock(&self.node.lagging));
        let still: Vec<_> = lagging
            .into_iter()
            .filter(|(room, key)| {
                self.cell(room)
                    .is_some_and(|cell| !cell.tell_missed(&self.node, *key))
            })
            .collect();
        lock(&self.node.lagging).extend(still);
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.hub.leave_cell(&self.cell);
    }
}

/// Whether a room has been idle for so long that the node stops to hear it.
fn is_over(idle_since: Instant, linger: Duration, now: Instant) -> bool {
    idle_since + linger <= now
}
