//! The bus of a hub that is alone.

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt, future::ready};
use tokio::time::Instant;
use wharf_sdk::Result;

use crate::{
    bus::{
        contract::{Beat, Bus, BusCapabilities, BusEvent, BusFuture, BusListener, Members, Replay},
        standing::BusStats,
        store::Store,
    },
    words::{History, NodeId, Position, RoomName, SessionId, Topic, lock},
};

/// Carries nothing anywhere, and keeps histories in memory: the bus of [`Hub::local`](crate::Hub).
#[derive(Default)]
pub struct LocalBus {
    store: Mutex<Store>,
    clock: Clock,
    listener: OnceLock<Arc<dyn BusListener>>,
}

impl fmt::Debug for LocalBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalBus")
    }
}

/// Time since the first look at it.
#[derive(Debug, Default)]
pub(crate) struct Clock(OnceLock<Instant>);

impl Clock {
    pub(crate) fn now(&self) -> Duration {
        self.0.get_or_init(Instant::now).elapsed()
    }
}

fn done<T: Send + 'static>(value: T) -> BusFuture<T> {
    ready(Result::Ok(value)).boxed()
}

impl Bus for LocalBus {
    fn capabilities(&self) -> BusCapabilities {
        BusCapabilities {
            name: "local",
            is_shared: false,
            history: true,
            presence: true,
            max_frame_bytes: usize::MAX,
        }
    }

    fn attach(&self, _: NodeId, listener: Arc<dyn BusListener>) {
        let _ = self.listener.set(listener);
    }

    fn subscribe(&self, _: Vec<Topic>) -> BusFuture<()> {
        done(())
    }

    fn unsubscribe(&self, _: Vec<Topic>) -> BusFuture<()> {
        done(())
    }

    fn publish(&self, _: &Topic, _: Bytes) -> BusFuture<()> {
        done(())
    }

    fn append(&self, room: &RoomName, history: History, frame: Bytes) -> BusFuture<Position> {
        // Handed on under the lock: in the order of the positions.
        let mut store = lock(&self.store);
        let place = store.append(room, history, frame.clone(), self.clock.now());
        if let Some(listener) = self.listener.get() {
            listener.hear(BusEvent::Frame {
                topic: Topic::Room(room.clone()),
                frame,
                place: Some(place),
            });
        }
        drop(store);
        done(place.position)
    }

    fn replay(
        &self,
        room: &RoomName,
        history: History,
        since: Option<Position>,
    ) -> BusFuture<Replay> {
        done(lock(&self.store).replay(room, history, since, self.clock.now()))
    }

    fn enter(&self, _: &RoomName, _: SessionId, _: Bytes, _: Bytes) -> BusFuture<()> {
        done(())
    }

    fn leave(&self, _: &RoomName, _: SessionId, _: bool, _: Bytes) -> BusFuture<()> {
        done(())
    }

    fn members(&self, _: &RoomName) -> BusFuture<Members> {
        done(Members::default())
    }

    fn beat(&self, _: Duration) -> BusFuture<Beat> {
        done(Beat {
            live: Vec::new(),
            had_lapsed: false,
        })
    }

    fn bury(&self, _: NodeId) -> BusFuture<()> {
        done(())
    }

    fn stats(&self) -> BusStats {
        BusStats {
            connected: true,
            subscriptions: 0,
        }
    }
}
