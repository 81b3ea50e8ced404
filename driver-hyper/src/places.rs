//! The cap on connections: whatever holds a descriptor holds a place.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// How long an evicted connection may take to be gone: it only has to be dropped.
const EVICTION_DEADLINE: Duration = Duration::from_secs(1);

/// The places of a server's connections.
///
/// When all are taken, whoever has been there longest without becoming a socket makes room: an
/// honest client becomes one at once, and an attacker's half-open connections cannot shut it out.
#[derive(Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
}

/// Those that are not sockets yet, oldest first.
#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    seats: BTreeMap<u64, Weak<Seat>>,
}

/// A place, taken until the last of these is dropped.
pub(crate) type Place = Arc<Seat>;

/// What a connection holds.
#[derive(Debug)]
pub(crate) struct Seat {
    number: u64,
    places: Arc<Places>,
    evicted: Notify,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))),
            waiting: Mutex::default(),
        })
    }

    /// Takes a place, someone else's if there is no other. `None` if all are sockets.
    pub(crate) async fn take(self: &Arc<Self>) -> Option<Place> {
        let permit = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) if self.evict_oldest() => {
                let freed = Arc::clone(&self.free).acquire_owned();
                timeout(EVICTION_DEADLINE, freed).await.ok()?.ok()?
            }
            Err(_) => return None,
        };
        let mut waiting = self.waiting();
        let number = waiting.next;
        waiting.next += 1;
        let place = Arc::new(Seat {
            number,
            places: Arc::clone(self),
            evicted: Notify::new(),
            _permit: permit,
        });
        waiting.seats.insert(number, Arc::downgrade(&place));
        Some(place)
    }

    /// Has the oldest connection that is no socket end. Whether there is one.
    pub(crate) fn evict_oldest(&self) -> bool {
        let mut waiting = self.waiting();
        while let Some((_, seat)) = waiting.seats.pop_first() {
            if let Some(seat) = seat.upgrade() {
                seat.evicted.notify_one();
                // Dropped behind the lock: it may be the last of its place.
                drop(waiting);
                return true;
            }
        }
        false
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// The connection carries a socket: it is not evicted any more.
    pub(crate) fn settle(&self) {
        self.places.waiting().seats.remove(&self.number);
    }

    /// The connection carries no socket any more.
    pub(crate) fn unsettle(self: &Arc<Self>) {
        let seat = Arc::downgrade(self);
        self.places.waiting().seats.insert(self.number, seat);
    }

    /// Waits until the place is needed for someone else.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.settle();
    }
}

/// As many connections as the system lets the process have, less what else it opens.
pub(crate) fn default_limit() -> usize {
    /// A system without a limit, or with one that says nothing.
    const AMPLE: u64 = 1 << 20;
    #[cfg(unix)]
    let descriptors = rlimit::Resource::NOFILE.get_soft().unwrap_or(AMPLE);
    #[cfg(not(unix))]
    let descriptors = AMPLE;
    below(descriptors.min(AMPLE))
}

fn below(descriptors: u64) -> usize {
    let headroom = (descriptors / 8).clamp(48, 1024);
    let limit = descriptors.saturating_sub(headroom).max(16);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn take(places: &Arc<Places>) -> Option<Option<Place>> {
        places.take().now_or_never()
    }

    #[tokio::test]
    async fn the_oldest_that_is_no_socket_makes_room() {
        let places = Places::new(3);
        let [socket, old, new] = [(); 3].map(|()| take(&places).flatten().expect("room"));
        socket.settle();
        let mut newcomer = Box::pin(places.take());
        assert!(newcomer.as_mut().now_or_never().is_none(), "no room yet");
        assert!(old.evicted().now_or_never().is_some());
        assert!(new.evicted().now_or_never().is_none());
        assert!(socket.evicted().now_or_never().is_none());
        drop(old);
        assert!(newcomer.await.is_some());
    }

    #[tokio::test]
    async fn sockets_are_left_alone_and_their_places_come_back() {
        let places = Places::new(1);
        let socket = take(&places).flatten().expect("room");
        socket.settle();
        assert!(take(&places).expect("at once").is_none());
        drop(socket);
        assert!(take(&places).expect("at once").is_some());
    }

    #[test]
    fn there_is_headroom_under_the_limit_of_descriptors() {
        assert_eq!(below(256), 208);
        assert_eq!(below(1024), 896);
        assert_eq!(below(65_536), 64_512);
        assert_eq!(below(20), 16);
    }
}
