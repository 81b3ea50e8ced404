//! All sessions of an app: counted, capped, found again, and ended together.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    message::{CloseCode, CloseFrame, ConnectionId, Error, ErrorKind},
    policy::LONGEST,
    session::{clock::now, sender::Sender, shared::Shared},
};

/// Knows every connection from its first check to its end.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    sessions: Mutex<HashMap<ConnectionId, Arc<Shared>>>,
    peers: Mutex<HashMap<IpAddr, usize>>,
    live: AtomicUsize,
    /// How many sessions there have been; changed while `sessions` is locked.
    enrolled: AtomicUsize,
    is_draining: AtomicBool,
    /// What a shutdown under way closes with.
    draining_with: Mutex<Option<CloseFrame>>,
    /// Rung when a session ends.
    ended: Notify,
    /// What the last shutdown did, once it is through.
    report: watch::Sender<Option<ShutdownReport>>,
}

/// How many connections are taken at once.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Caps {
    pub(crate) app: Option<usize>,
    pub(crate) peer: Option<usize>,
}

/// What a shutdown did.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct ShutdownReport {
    /// Sessions that were live when it began, or whose handshake was under way.
    pub sessions: usize,
    /// Those whose close handshake was through in time, whether or not their handler still ran.
    pub closed: usize,
    /// Those that were aborted after it.
    pub aborted: usize,
}

/// How a shutdown treats the sessions that are live.
#[derive(Debug, Clone)]
pub struct ShutdownOptions {
    deadline: Duration,
    spread: Duration,
    frame: CloseFrame,
}

impl ShutdownOptions {
    /// Closes every session with 1001 and aborts after `deadline` those that have not ended.
    pub fn within(deadline: Duration) -> Self {
        Self {
            deadline: deadline.min(LONGEST),
            // Clients reconnect when they are closed; spread out, they do not arrive as one herd.
            spread: (deadline / 4).min(Duration::from_secs(2)),
            frame: CloseFrame::cut(CloseCode::GOING_AWAY, "the server is shutting down"),
        }
    }

    /// Closes with this frame instead: 1012 tells clients to reconnect, and the reason may hint
    /// when.
    #[must_use]
    pub fn with_frame(mut self, frame: CloseFrame) -> Self {
        self.frame = frame;
        self
    }

    /// Spreads the closes over this time, in batches and at random within each. Default: a
    /// quarter of the deadline, at most 2 s.
    #[must_use]
    pub fn spread_over(mut self, spread: Duration) -> Self {
        self.spread = spread.min(LONGEST);
        self
    }
}

/// How many batches a shutdown closes in.
const BATCHES: u32 = 20;

impl Registry {
    /// Connections from their admission on, handshakes included.
    pub(crate) fn live(&self) -> usize {
        self.live.load(Ordering::Acquire)
    }

    /// Takes a place for a connection, or says why there is none.
    pub(crate) fn admit(
        self: &Arc<Self>,
        caps: Caps,
        route: &Arc<RouteCount>,
        peer: Option<IpAddr>,
    ) -> Result<Slot, Error> {
        if self.is_draining.load(Ordering::Acquire) {
            return Err(unavailable(
                "WHARF_SHUTTING_DOWN",
                "the server is shutting down",
            ));
        }
        let full = || unavailable("WHARF_FULL", "too many connections; try again later");
        // Built up step by step, so that a refusal gives back what was taken before it.
        let mut slot = Slot {
            registry: Arc::clone(self),
            route: None,
            peer: None,
        };
        if self.live.fetch_add(1, Ordering::AcqRel) >= caps.app.unwrap_or(usize::MAX) {
            return Err(full());
        }
        let taken = route.live.fetch_add(1, Ordering::AcqRel);
        slot.route = Some(Arc::clone(route));
        if taken >= route.cap.unwrap_or(usize::MAX) {
            return Err(full());
        }
        if peer.is_none() && caps.peer.is_some() {
            static WARNED: Once = Once::new();
            WARNED.call_once(|| {
                tracing::warn!(
                    "max_connections_per_peer limits nothing: the server does not tell its peers' \
                     addresses; on axum, serve with into_make_service_with_connect_info"
                );
            });
        }
        if let (Some(peer), Some(cap)) = (peer, caps.peer) {
            let mut peers = lock(&self.peers);
            let count = peers.entry(peer).or_default();
            if *count >= cap {
                return Err(full());
            }
            *count += 1;
            slot.peer = Some(peer);
        }
        Ok(slot)
    }

    pub(super) fn enroll(self: &Arc<Self>, shared: &Arc<Shared>) -> Enrolled {
        let id = shared.info.id;
        {
            let mut sessions = lock(&self.sessions);
            sessions.insert(id, Arc::clone(shared));
            self.enrolled.fetch_add(1, Ordering::AcqRel);
        }
        if self.is_draining.load(Ordering::Acquire) {
            // Its handshake was under way when the shutdown began.
            if let Some(frame) = &*lock(&self.draining_with) {
                close(shared, frame);
            }
        }
        Enrolled {
            registry: Arc::clone(self),
            id,
        }
    }

    pub(crate) fn sessions(&self) -> Vec<Sender> {
        let sessions = lock(&self.sessions);
        sessions.values().cloned().map(Sender::new).collect()
    }

    /// Closes the sessions that `matches` picks; returns how many.
    pub(crate) fn close_where(
        &self,
        frame: &CloseFrame,
        matches: impl Fn(&Shared) -> bool,
    ) -> usize {
        let picked: Vec<_> = lock(&self.sessions)
            .values()
            .filter(|shared| matches(shared))
            .cloned()
            .collect();
        for shared in &picked {
            close(shared, frame);
        }
        picked.len()
    }

    /// Refuses new connections, closes the live ones in batches, aborts what is left.
    pub(crate) async fn shutdown(&self, options: ShutdownOptions) -> ShutdownReport {
        *lock(&self.draining_with) = Some(options.frame.clone());
        self.is_draining.store(true, Ordering::Release);
        let started = Instant::now();
        let deadline = started + options.deadline;
        let (sessions, enrolled_before): (Vec<_>, _) = {
            let sessions = lock(&self.sessions);
            let enrolled = self.enrolled.load(Ordering::Acquire);
            (sessions.values().cloned().collect(), enrolled)
        };
        let live_before = sessions.len();
        let batch = sessions.len().div_ceil(BATCHES as usize).max(1);
        let step = options.spread / BATCHES;
        for (at, batch) in (0..).zip(sessions.chunks(batch)) {
            let jitter = step.mul_f64(jitter(at));
            sleep_until((started + step * at + jitter).min(deadline)).await;
            for shared in batch {
                close(shared, &options.frame);
            }
        }
        drop(sessions);
        let _ = timeout_at(deadline, self.drained()).await;
        let left: Vec<_> = lock(&self.sessions).values().cloned().collect();
        let mut aborted = 0;
        for shared in &left {
            let mut state = shared.lock();
            // Where the handshake is through, only the peer's end of the connection was missing.
            aborted += usize::from(!state.engine.is_closed());
            state.engine.handle_kill();
            drop(state);
            shared.touch();
        }
        drop(left);
        // Aborting needs one turn of each session's task; a handler that blocks its thread is not
        // waited for.
        let _ = timeout_at(Instant::now() + Duration::from_secs(1), self.drained()).await;
        let enrolled_since = self.enrolled.load(Ordering::Acquire) - enrolled_before;
        let sessions = live_before + enrolled_since;
        let report = ShutdownReport {
            sessions,
            closed: sessions.saturating_sub(aborted),
            aborted,
        };
        self.report.send_replace(Some(report));
        report
    }

    pub(crate) async fn shut_down(&self) -> ShutdownReport {
        let mut watching = self.report.subscribe();
        // The sender lives as long as `self`, so the wait cannot fail.
        let report = watching.wait_for(Option::is_some).await;
        report.ok().and_then(|report| *report).unwrap_or_default()
    }

    /// Waits until no connection is left.
    async fn drained(&self) {
        loop {
            let mut rung = std::pin::pin!(self.ended.notified());
            rung.as_mut().enable();
            if self.live() == 0 {
                return;
            }
            rung.await;
        }
    }
}

fn close(shared: &Shared, frame: &CloseFrame) {
    shared
        .lock()
        .engine
        .handle_server_close(frame.clone(), now());
    shared.touch();
}

fn unavailable(code: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, code, message).with_header(
        http::header::RETRY_AFTER,
        http::HeaderValue::from_static("5"),
    )
}

/// A fraction that differs from process to process and from batch to batch.
fn jitter(salt: u32) -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let hash = RandomState::new().hash_one(salt);
    (hash >> 11) as f64 / (1u64 << 53) as f64
}

/// A route's own count.
#[derive(Debug, Default)]
pub(crate) struct RouteCount {
    live: AtomicUsize,
    cap: Option<usize>,
}

impl RouteCount {
    pub(crate) fn new(cap: Option<usize>) -> Self {
        Self {
            live: AtomicUsize::new(0),
            cap,
        }
    }

    pub(crate) fn live(&self) -> usize {
        self.live.load(Ordering::Acquire)
    }
}

/// A connection's place in every count; dropped, it is given back.
pub(crate) struct Slot {
    registry: Arc<Registry>,
    route: Option<Arc<RouteCount>>,
    peer: Option<IpAddr>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(route) = &self.route {
            route.live.fetch_sub(1, Ordering::AcqRel);
        }
        if let Some(peer) = self.peer {
            let mut peers = lock(&self.registry.peers);
            if let Some(count) = peers.get_mut(&peer) {
                *count -= 1;
                if *count == 0 {
                    peers.remove(&peer);
                }
            }
        }
        self.registry.live.fetch_sub(1, Ordering::AcqRel);
        self.registry.ended.notify_waiters();
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// A session's entry; dropped, it is removed.
pub(crate) struct Enrolled {
    registry: Arc<Registry>,
    id: ConnectionId,
}

impl Drop for Enrolled {
    fn drop(&mut self) {
        let removed = lock(&self.registry.sessions).remove(&self.id);
        // May be the last reference, and must not fall while the map is locked.
        drop(removed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The guarded sections only insert, remove and count.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
