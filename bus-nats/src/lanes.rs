//! What must be done in a room's order, and of different rooms side by side.

use std::hash::{DefaultHasher, Hash, Hasher};

use futures::future::BoxFuture;
use tokio::sync::mpsc;
use wharf_hub::RoomName;

const LANES: usize = 64;

/// Tasks that each do one thing after the other.
pub(crate) struct Lanes(Vec<mpsc::Sender<BoxFuture<'static, ()>>>);

impl Lanes {
    /// Starts them, with room for so much to wait in each. They end with what this returns.
    pub(crate) fn start(max_waiting: usize) -> Self {
        let lanes = (0..LANES).map(|_| {
            let (lane, mut waiting) = mpsc::channel::<BoxFuture<'static, ()>>(max_waiting);
            tokio::spawn(async move {
                while let Some(next) = waiting.recv().await {
                    next.await;
                }
            });
            lane
        });
        Self(lanes.collect())
    }

    /// Has something done behind everything else in the room's lane; `false` if it is full.
    pub(crate) fn enter(&self, room: &RoomName, job: BoxFuture<'static, ()>) -> bool {
        let mut hasher = DefaultHasher::new();
        room.hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % LANES as u64).unwrap_or_default();
        let lane = self.0.get(index);
        lane.is_some_and(|lane| lane.try_send(job).is_ok())
    }
}
