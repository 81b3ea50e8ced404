//! The cap on connections: whatever holds a descriptor holds a place.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::{Rc, Weak},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::net::TcpStream;

use crate::lend::Lender;

/// The places of a server, on all of its workers.
#[derive(Debug)]
pub(crate) struct Places {
    limit: usize,
    taken: AtomicUsize,
}

impl Places {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            taken: AtomicUsize::new(0),
        })
    }
}

/// The connections of one worker that are no sockets yet.
///
/// When all places are taken, whoever has been here longest makes room: an honest client becomes
/// a socket at once, and half-open connections cannot shut it out.
pub(crate) struct Lobby {
    places: Arc<Places>,
    waiting: RefCell<BTreeMap<u64, Weak<Lender>>>,
    next: Cell<u64>,
}

/// A connection's place, until it is dropped.
pub(crate) struct Place {
    lobby: Rc<Lobby>,
    number: u64,
}

impl Lobby {
    pub(crate) fn new(places: Arc<Places>) -> Rc<Self> {
        Rc::new(Self {
            places,
            waiting: RefCell::default(),
            next: Cell::new(0),
        })
    }

    /// Gives the connection a place, or it back if all are taken by sockets, or on other workers.
    pub(crate) fn admit(self: &Rc<Self>, stream: TcpStream) -> Result<Rc<Lender>, TcpStream> {
        let number = self.next.get();
        self.next.set(number + 1);
        let taken = self.places.taken.fetch_add(1, Ordering::Relaxed);
        let place = Place {
            lobby: Rc::clone(self),
            number,
        };
        if taken >= self.places.limit && !self.evict_oldest() {
            return Err(stream);
        }
        let lender = Rc::new(Lender::new(stream, place));
        self.waiting
            .borrow_mut()
            .insert(number, Rc::downgrade(&lender));
        Ok(lender)
    }

    /// Those whom the app is busy with stay as long as there are others.
    fn evict_oldest(&self) -> bool {
        let oldest = {
            let waiting = self.waiting.borrow();
            let mut all = waiting.values().filter_map(Weak::upgrade);
            let oldest = all.find(|lender| lender.waits_for_peer());
            oldest.or_else(|| waiting.values().find_map(Weak::upgrade))
        };
        if let Some(lender) = &oldest {
            lender.evict();
        }
        oldest.is_some()
    }
}

impl Place {
    /// It is a socket's now, which is not evicted.
    pub(crate) fn settle(&self) {
        self.lobby.waiting.borrow_mut().remove(&self.number);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.settle();
        self.lobby.places.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many descriptors stay free for everything else that the process opens.
pub(crate) fn headroom() -> usize {
    (descriptors() / 8).clamp(48, 1024)
}

/// As many connections as the system lets the process have, less the headroom.
pub(crate) fn default_limit() -> usize {
    descriptors().saturating_sub(headroom()).max(16)
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
