//! The cap on connections: whatever holds a descriptor has a seat.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore},
    time::timeout,
};

/// How long an evicted connection may take to be gone: it only has to be dropped.
const EVICTION_DEADLINE: Duration = Duration::from_secs(1);

/// The seats of a server's connections, on all of its threads.
///
/// When all are taken, whoever has been there longest without becoming a socket makes room, and
/// those first of whom the server waits for something: an honest client becomes a socket at once,
/// and an attacker's half-open connections cannot shut it out.
#[derive(Debug, Clone)]
pub struct Seats(Arc<Hall>);

#[derive(Debug)]
struct Hall {
    free: Arc<Semaphore>,
    crowd: Mutex<Crowd>,
}

/// Those that are no sockets, oldest first.
#[derive(Debug, Default)]
struct Crowd {
    next: u64,
    waiting: BTreeMap<u64, Weak<Taken>>,
    answering: BTreeMap<u64, Weak<Taken>>,
}

/// What a connection has its seat for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupation {
    /// The server waits for the peer: such connections make room first. How each begins.
    Waiting,
    /// The app is at the peer's request: these make room when nobody waits.
    Answering,
    /// It carries a socket, or server-sent events, and makes no room.
    Socket,
}

/// A connection's seat, taken until the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Seat(Arc<Taken>);

/// The seat of a connection that is a socket for the rest of its life: a pointer is all it takes.
#[derive(Debug)]
pub struct SocketSeat(Option<Arc<Hall>>);

#[derive(Debug)]
struct Taken {
    number: u64,
    hall: Arc<Hall>,
    /// Written under the lock of the crowd.
    is_evicted: AtomicBool,
    /// A [`SocketSeat`] stands for it.
    is_settled: AtomicBool,
    evicted: Notify,
}

impl Seats {
    /// So many seats.
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Hall {
            free: Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS))),
            crowd: Mutex::default(),
        }))
    }

    /// Takes a seat, someone else's if there is no other. `None` if all are sockets.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe; somebody else may have made room for nobody.
    pub async fn take(&self) -> Option<Seat> {
        let hall = &self.0;
        let permit = match Arc::clone(&hall.free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) if hall.evict_oldest() => {
                let freed = Arc::clone(&hall.free).acquire_owned();
                timeout(EVICTION_DEADLINE, freed).await.ok()?.ok()?
            }
            Err(_) => return None,
        };
        let mut crowd = hall.crowd();
        let number = crowd.next;
        crowd.next += 1;
        let seat = Arc::new(Taken {
            number,
            hall: Arc::clone(hall),
            is_evicted: AtomicBool::new(false),
            is_settled: AtomicBool::new(false),
            evicted: Notify::new(),
        });
        // Given back when the seat is: a permit would point at what the hall points at.
        permit.forget();
        crowd.waiting.insert(number, Arc::downgrade(&seat));
        Some(Seat(seat))
    }

    /// Has one connection end that is no socket, when the process is out of descriptors. Whether
    /// there is one.
    pub fn evict_oldest(&self) -> bool {
        self.0.evict_oldest()
    }
}

impl Hall {
    fn evict_oldest(&self) -> bool {
        let mut crowd = self.crowd();
        while let Some(seat) = crowd.pop_oldest() {
            if let Some(seat) = seat.upgrade() {
                seat.is_evicted.store(true, Ordering::Relaxed);
                seat.evicted.notify_one();
                // Dropped behind the lock: it may be the last of its seat.
                drop(crowd);
                return true;
            }
        }
        false
    }

    fn crowd(&self) -> MutexGuard<'_, Crowd> {
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Crowd {
    fn pop_oldest(&mut self) -> Option<Weak<Taken>> {
        let oldest = self.waiting.pop_first();
        let (_, seat) = oldest.or_else(|| self.answering.pop_first())?;
        Some(seat)
    }

    fn remove(&mut self, number: u64) {
        self.waiting.remove(&number);
        self.answering.remove(&number);
    }
}

impl Seat {
    /// What it is for from now on. Who becomes a socket says so before the peer is told: from then
    /// on nothing takes the seat. If the connection was to make room for another, a third one does.
    pub fn occupy(&self, occupation: Occupation) {
        let Taken { number, hall, .. } = &*self.0;
        let mut crowd = hall.crowd();
        crowd.remove(*number);
        if self.0.is_evicted.load(Ordering::Relaxed) {
            if occupation == Occupation::Socket {
                self.0.is_evicted.store(false, Ordering::Relaxed);
                drop(crowd);
                hall.evict_oldest();
            }
            return;
        }
        let seat = Arc::downgrade(&self.0);
        match occupation {
            Occupation::Waiting => crowd.waiting.insert(*number, seat),
            Occupation::Answering => crowd.answering.insert(*number, seat),
            Occupation::Socket => None,
        };
    }

    /// The same seat for a connection that is a socket for the rest of its life. Clones of this one
    /// hold nothing from here on.
    pub fn settle(self) -> SocketSeat {
        self.occupy(Occupation::Socket);
        let is_first = !self.0.is_settled.swap(true, Ordering::Relaxed);
        SocketSeat(is_first.then(|| Arc::clone(&self.0.hall)))
    }

    /// Waits until the seat is needed for someone else.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn evicted(&self) {
        loop {
            self.0.evicted.notified().await;
            // It may have become a socket meanwhile.
            if self.0.is_evicted.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.hall.crowd().remove(self.number);
        if !self.is_settled.load(Ordering::Relaxed) {
            self.hall.free.add_permits(1);
        }
    }
}

impl Drop for SocketSeat {
    fn drop(&mut self) {
        if let Some(hall) = &self.0 {
            hall.free.add_permits(1);
        }
    }
}

/// As many connections as the system lets the process have, less the
/// [spare descriptors](spare_descriptors).
pub fn default_max_connections() -> usize {
    below(descriptors())
}

/// How many descriptors stay free for everything else that the process opens: an eighth, at least
/// 48 and at most 1,024.
pub fn spare_descriptors() -> usize {
    spare(descriptors())
}

fn below(descriptors: usize) -> usize {
    descriptors.saturating_sub(spare(descriptors)).max(16)
}

fn spare(descriptors: usize) -> usize {
    (descriptors / 8).clamp(48, 1024)
}

fn descriptors() -> usize {
    /// A system without a limit, or with one that says nothing.
    const AMPLE: u64 = 1 << 20;
    #[cfg(unix)]
    let descriptors = rlimit::Resource::NOFILE.get_soft().unwrap_or(AMPLE);
    #[cfg(not(unix))]
    let descriptors = AMPLE;
    usize::try_from(descriptors.min(AMPLE)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn take(seats: &Seats) -> Option<Option<Seat>> {
        seats.take().now_or_never()
    }

    fn is_evicted(seat: &Seat) -> bool {
        seat.evicted().now_or_never().is_some()
    }

    #[tokio::test]
    async fn the_oldest_that_is_no_socket_makes_room() {
        let seats = Seats::new(3);
        let [socket, old, new] = [(); 3].map(|()| take(&seats).flatten().expect("room"));
        socket.occupy(Occupation::Socket);
        let mut newcomer = Box::pin(seats.take());
        assert!(newcomer.as_mut().now_or_never().is_none(), "no room yet");
        assert!(is_evicted(&old));
        assert!(!is_evicted(&new) && !is_evicted(&socket));
        drop(old);
        assert!(newcomer.await.is_some());
    }

    #[tokio::test]
    async fn whom_the_app_is_busy_with_stays_as_long_as_others_wait() {
        let seats = Seats::new(2);
        let [busy, waiting] = [(); 2].map(|()| take(&seats).flatten().expect("room"));
        busy.occupy(Occupation::Answering);
        assert!(seats.evict_oldest() && is_evicted(&waiting));
        assert!(!is_evicted(&busy));
        assert!(seats.evict_oldest() && is_evicted(&busy));
        assert!(!seats.evict_oldest(), "nobody is left");
    }

    #[tokio::test]
    async fn sockets_are_left_alone_and_their_seats_come_back() {
        let seats = Seats::new(1);
        let socket = take(&seats).flatten().expect("room");
        socket.occupy(Occupation::Socket);
        assert!(take(&seats).expect("at once").is_none());
        drop(socket);
        assert!(take(&seats).expect("at once").is_some());
    }

    #[tokio::test]
    async fn a_settled_socket_is_all_that_holds_its_seat() {
        let seats = Seats::new(1);
        let seat = take(&seats).flatten().expect("room");
        let other = seat.clone();
        let socket = seat.settle();
        drop(other);
        assert!(take(&seats).expect("at once").is_none());
        drop(socket);
        assert!(take(&seats).expect("at once").is_some());
    }

    #[tokio::test]
    async fn who_becomes_a_socket_in_time_has_another_make_room() {
        let seats = Seats::new(2);
        let [quick, slow] = [(); 2].map(|()| take(&seats).flatten().expect("room"));
        let mut newcomer = Box::pin(seats.take());
        assert!(newcomer.as_mut().now_or_never().is_none(), "no room yet");
        quick.occupy(Occupation::Socket);
        assert!(is_evicted(&slow) && !is_evicted(&quick));
        drop(slow);
        assert!(newcomer.await.is_some());
        quick.occupy(Occupation::Waiting);
        assert!(seats.evict_oldest() && is_evicted(&quick));
    }

    #[tokio::test]
    async fn what_was_a_socket_makes_room_again() {
        let seats = Seats::new(1);
        let seat = take(&seats).flatten().expect("room");
        seat.occupy(Occupation::Socket);
        seat.occupy(Occupation::Waiting);
        assert!(seats.evict_oldest() && is_evicted(&seat));
    }

    #[test]
    fn there_is_headroom_under_the_limit_of_descriptors() {
        assert_eq!(below(256), 208);
        assert_eq!(below(1024), 896);
        assert_eq!(below(65_536), 64_512);
        assert_eq!(below(20), 16);
    }
}
