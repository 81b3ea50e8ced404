//! All sessions of an app: counted, capped, found again, and ended together.

use std::{
    borrow::Borrow,
    collections::{HashMap, HashSet},
    fmt,
    hash::{Hash, Hasher},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    message::{CloseCode, CloseFrame, ConnectionId, Error, ErrorKind, Message, SharedMessage},
    policy::LONGEST,
    session::{clock::now, info::SessionInfo, sender::Sender, shared::Shared},
};

/// Knows every connection from its first check to its end.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    sessions: Mutex<Sessions>,
    peers: Mutex<HashMap<IpAddr, usize>>,
    live: AtomicUsize,
    /// Whether a shutdown has begun.
    is_draining: watch::Sender<bool>,
    /// Rung when a connection ends.
    ended: Notify,
    /// What the last shutdown did, once it is through.
    report: watch::Sender<Option<ShutdownReport>>,
}

#[derive(Debug, Default)]
struct Sessions {
    by_id: HashSet<ById>,
    by_principal: HashMap<Arc<str>, HashSet<ConnectionId>>,
    /// How many there have been, and of those that have ended, how many with both close frames.
    enrolled: usize,
    closed: usize,
    /// What a shutdown under way closes with, and what had ended before it.
    draining: Option<Draining>,
}

/// A session, found by its id, which it has in itself.
#[derive(Debug)]
struct ById(Arc<Shared>);

impl Borrow<ConnectionId> for ById {
    fn borrow(&self) -> &ConnectionId {
        self.0.info.id_ref()
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.info.id() == other.0.info.id()
    }
}

impl Eq for ById {}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.info.id().hash(state);
    }
}

#[derive(Debug)]
struct Draining {
    frame: CloseFrame,
    ended_before: usize,
    closed_before: usize,
}

impl Sessions {
    fn insert(&mut self, shared: &Arc<Shared>) {
        let id = shared.info.id();
        self.enrolled += 1;
        self.by_id.insert(ById(Arc::clone(shared)));
        if let Some(principal) = shared.info.shared_principal() {
            let ids = self.by_principal.entry(principal);
            ids.or_default().insert(id);
        }
    }

    fn remove(&mut self, id: ConnectionId) -> Option<Arc<Shared>> {
        let ById(shared) = self.by_id.take(&id)?;
        if let Some(principal) = shared.info.principal()
            && let Some(ids) = self.by_principal.get_mut(principal)
        {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_principal.remove(principal);
            }
        }
        Some(shared)
    }

    fn of_principal(&self, principal: &str) -> Vec<Arc<Shared>> {
        let ids = self.by_principal.get(principal).into_iter().flatten();
        ids.filter_map(|id| self.get(*id)).collect()
    }

    fn get(&self, id: ConnectionId) -> Option<Arc<Shared>> {
        let ById(shared) = self.by_id.get(&id)?;
        Some(Arc::clone(shared))
    }

    fn all(&self) -> Vec<Arc<Shared>> {
        let sessions = self.by_id.iter();
        sessions.map(|ById(shared)| Arc::clone(shared)).collect()
    }
}

/// How many connections are taken at once.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Caps {
    pub(crate) app: Option<usize>,
    pub(crate) peer: Option<usize>,
}

/// What a shutdown did. Of several at once, each reports what they did together.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct ShutdownReport {
    /// Sessions that were live when it began, or whose handshake was under way.
    pub sessions: usize,
    /// Those whose close handshake was through, whether or not their handler still ran.
    pub closed: usize,
    /// Those that were dropped without: the peer did not answer in time, or vanished.
    pub aborted: usize,
    /// Requests that had no answer yet when it was over: handshakes and HTTP fallbacks.
    pub requests: usize,
}

/// How a shutdown treats the sessions that are live.
///
/// ```
/// # use std::time::Duration;
/// # use wharf_sdk::{AppHandle, CloseFrame, Result, ShutdownOptions};
/// # async fn stop(handle: AppHandle) -> Result<()> {
/// let options = ShutdownOptions::within(Duration::from_secs(30))
///     .notice("we are back in five seconds")
///     .with_frame(CloseFrame::new(1012, "deploying")?);
/// let report = handle.shutdown(options).await;
/// # let _ = report;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ShutdownOptions {
    deadline: Duration,
    spread: Duration,
    frame: CloseFrame,
    notice: Option<SharedMessage>,
}

/// [`ShutdownOptions::within`] this time.
impl From<Duration> for ShutdownOptions {
    fn from(deadline: Duration) -> Self {
        Self::within(deadline)
    }
}

impl ShutdownOptions {
    /// Closes every session with 1001 and aborts after `deadline` those that have not ended.
    ///
    /// A session whose handler waits in `read` is closed at once; one whose handler is at a message
    /// that it has read when it comes back for the next, or shortly before the deadline. What it
    /// writes until then leaves.
    pub fn within(deadline: Duration) -> Self {
        Self {
            deadline: deadline.min(LONGEST),
            // Clients reconnect when they are closed; spread out, they do not arrive as one herd.
            spread: (deadline / 4).min(Duration::from_secs(2)),
            frame: CloseFrame::cut(CloseCode::GOING_AWAY, "the server is shutting down"),
            notice: None,
        }
    }

    /// Sends every session this first. It waits for no slow one.
    #[must_use]
    pub fn notice(mut self, message: impl Into<Message>) -> Self {
        self.notice = Some(SharedMessage::new(message));
        self
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

/// A busy session is closed this long before the deadline, or an eighth of it, so that its peer
/// hears why and can answer.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Registry {
    /// Connections from their admission on, handshakes included.
    pub(crate) fn live(&self) -> usize {
        self.live.load(Ordering::Acquire)
    }

    /// Whether the sessions are being shut down.
    pub(crate) fn is_draining(&self) -> bool {
        *self.is_draining.borrow()
    }

    /// Counts a connection out.
    fn leave(&self) {
        self.live.fetch_sub(1, Ordering::AcqRel);
        self.ended.notify_waiters();
    }

    pub(super) fn enroll(&self, shared: &Arc<Shared>) {
        let frame = {
            let mut sessions = lock(&self.sessions);
            sessions.insert(shared);
            let draining = sessions.draining.as_ref();
            draining.map(|draining| draining.frame.clone())
        };
        if let Some(frame) = frame {
            // Its handshake was under way when the shutdown began.
            drain(shared, &frame);
        }
    }

    /// A session has ended.
    pub(super) fn strike(&self, shared: &Shared) {
        let is_closed = is_closed(shared);
        let mut sessions = lock(&self.sessions);
        sessions.closed += usize::from(is_closed);
        let removed = sessions.remove(shared.info.id());
        drop(sessions);
        // Nothing is dropped while the map is locked.
        drop(removed);
    }

    /// All sessions that are live now.
    pub(crate) fn sessions(&self) -> Vec<Sender> {
        let sessions = self.snapshot();
        sessions.into_iter().map(Sender::new).collect()
    }

    /// One session.
    pub(crate) fn session(&self, id: ConnectionId) -> Option<Sender> {
        let shared = lock(&self.sessions).get(id);
        shared.map(Sender::new)
    }

    /// A principal's sessions, the oldest first.
    pub(crate) fn sessions_of(&self, principal: &str) -> Vec<Sender> {
        let mut sessions = lock(&self.sessions).of_principal(principal);
        sessions.sort_by_key(|shared| shared.info.id());
        sessions.into_iter().map(Sender::new).collect()
    }

    /// Closes the oldest sessions of a principal on a route, so that at most `max` stay.
    pub(super) fn close_oldest(&self, info: &SessionInfo, max: usize, frame: &CloseFrame) {
        let Some(principal) = info.principal() else {
            return;
        };
        let mut sessions = lock(&self.sessions).of_principal(principal);
        // One that is closing already gives its place up.
        sessions.retain(|shared| {
            shared.info.pattern() == info.pattern() && !shared.lock().engine.is_closing()
        });
        sessions.sort_by_key(|shared| shared.info.id());
        let beyond = sessions.len().saturating_sub(max);
        for shared in &sessions[..beyond] {
            shared
                .lock()
                .engine
                .handle_server_close(frame.clone(), now());
            shared.touch();
        }
    }

    /// Refuses new connections, closes the live ones in batches, aborts what is left.
    pub(crate) async fn shutdown(&self, options: ShutdownOptions) -> ShutdownReport {
        let started = Instant::now();
        let deadline = started + options.deadline;
        let frame = &options.frame;
        let sessions = self.begin_draining(frame);
        if let Some(notice) = &options.notice {
            for shared in &sessions {
                let _ = Sender::new(Arc::clone(shared)).try_send_shared(notice);
            }
        }
        // They close one by one as they finish, and need the time that the batches take.
        for shared in &sessions {
            if shared.lock().engine.is_at_work() {
                drain(shared, frame);
            }
        }
        let batch = sessions.len().div_ceil(BATCHES as usize).max(1);
        let step = options.spread / BATCHES;
        for (at, batch) in (0..).zip(sessions.chunks(batch)) {
            let jitter = step.mul_f64(jitter(at));
            sleep_until((started + step * at + jitter).min(deadline)).await;
            for shared in batch {
                drain(shared, frame);
            }
        }
        drop(sessions);
        let last_words = deadline - LAST_WORDS.min(options.deadline / 8);
        let _ = timeout_at(last_words, self.drained()).await;
        for shared in self.snapshot() {
            let mut state = shared.lock();
            state.engine.handle_server_close(frame.clone(), now());
            drop(state);
            shared.touch();
        }
        let _ = timeout_at(deadline, self.drained()).await;
        for shared in self.snapshot() {
            shared.lock().engine.handle_kill();
            shared.touch();
        }
        // Aborting needs one turn of each session's task; a handler that blocks its thread is not
        // waited for.
        let _ = timeout_at(Instant::now() + Duration::from_secs(1), self.drained()).await;
        let report = self.finish_draining();
        self.report.send_replace(Some(report));
        report
    }

    /// Waits until a shutdown has begun.
    pub(crate) async fn draining(&self) {
        // The sender lives as long as `self`, so the wait cannot fail.
        let _ = self.is_draining.subscribe().wait_for(|begun| *begun).await;
    }

    /// Waits until a shutdown is through.
    pub(crate) async fn wait_for_shutdown(&self) -> ShutdownReport {
        let mut watching = self.report.subscribe();
        // The sender lives as long as `self`, so the wait cannot fail.
        let report = watching.wait_for(Option::is_some).await;
        report.ok().and_then(|report| *report).unwrap_or_default()
    }

    fn snapshot(&self) -> Vec<Arc<Shared>> {
        lock(&self.sessions).all()
    }

    /// From here on no connection is taken. Of two shutdowns, the first one's account goes on.
    fn begin_draining(&self, frame: &CloseFrame) -> Vec<Arc<Shared>> {
        self.is_draining.send_replace(true);
        let mut sessions = lock(&self.sessions);
        let (ended_before, closed_before) = match &sessions.draining {
            Some(first) => (first.ended_before, first.closed_before),
            None => (sessions.enrolled - sessions.by_id.len(), sessions.closed),
        };
        sessions.draining = Some(Draining {
            frame: frame.clone(),
            ended_before,
            closed_before,
        });
        sessions.all()
    }

    fn finish_draining(&self) -> ShutdownReport {
        // Handlers that block their thread do not let their sessions end.
        let blocked = self.snapshot();
        let closed = blocked.iter().filter(|shared| is_closed(shared)).count();
        let sessions = lock(&self.sessions);
        let Some(draining) = &sessions.draining else {
            return ShutdownReport::default();
        };
        let total = sessions.enrolled - draining.ended_before;
        let closed = closed + sessions.closed - draining.closed_before;
        ShutdownReport {
            sessions: total,
            closed,
            aborted: total.saturating_sub(closed),
            requests: self.live().saturating_sub(sessions.by_id.len()),
        }
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

fn drain(shared: &Shared, frame: &CloseFrame) {
    shared.lock().engine.handle_drain(frame.clone(), now());
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
#[derive(Debug)]
pub(crate) struct RouteCount {
    /// Where the route's connections are counted with those of all others.
    app: Arc<Registry>,
    live: AtomicUsize,
    cap: Option<usize>,
    /// Places that were taken by principal, where the route bounds them.
    principals: Mutex<HashMap<Arc<str>, usize>>,
}

impl RouteCount {
    pub(crate) fn new(app: Arc<Registry>, cap: Option<usize>) -> Self {
        Self {
            app,
            live: AtomicUsize::new(0),
            cap,
            principals: Mutex::default(),
        }
    }

    /// Takes a place for a connection in every count, or says why there is none.
    pub(crate) fn admit(self: &Arc<Self>, caps: Caps, peer: Option<IpAddr>) -> Result<Slot, Error> {
        let app = &*self.app;
        if app.is_draining() {
            return Err(unavailable(
                "WHARF_SHUTTING_DOWN",
                "the server is shutting down",
            ));
        }
        let full = || unavailable("WHARF_FULL", "too many connections; try again later");
        if app.live.fetch_add(1, Ordering::AcqRel) >= caps.app.unwrap_or(usize::MAX) {
            app.leave();
            return Err(full());
        }
        let taken = self.live.fetch_add(1, Ordering::AcqRel);
        // From here on, a refusal gives back what was taken before it.
        let mut slot = Slot {
            route: Arc::clone(self),
            peer: None,
        };
        if taken >= self.cap.unwrap_or(usize::MAX) {
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
            let mut peers = lock(&app.peers);
            let count = peers.entry(peer).or_default();
            if *count >= cap {
                return Err(full());
            }
            *count += 1;
            slot.peer = Some(Box::new(peer));
        }
        Ok(slot)
    }

    /// Takes a place for a principal, or says why there is none.
    pub(crate) fn admit_principal(
        self: &Arc<Self>,
        principal: &Arc<str>,
        max: usize,
    ) -> Result<PrincipalSlot, Error> {
        let mut principals = lock(&self.principals);
        let count = principals.entry(Arc::clone(principal)).or_default();
        if *count >= max {
            return Err(unavailable(
                "WHARF_FULL_FOR_PRINCIPAL",
                "you have too many connections here; close one of them",
            ));
        }
        *count += 1;
        Ok(PrincipalSlot {
            route: Arc::clone(self),
            principal: Arc::clone(principal),
        })
    }

    pub(crate) fn live(&self) -> usize {
        self.live.load(Ordering::Acquire)
    }
}

/// A connection's place among those of its principal; dropped, it is given back.
#[derive(Debug)]
pub(crate) struct PrincipalSlot {
    route: Arc<RouteCount>,
    principal: Arc<str>,
}

impl Drop for PrincipalSlot {
    fn drop(&mut self) {
        let mut principals = lock(&self.route.principals);
        if let Some(count) = principals.get_mut(&self.principal) {
            *count -= 1;
            if *count == 0 {
                principals.remove(&self.principal);
            }
        }
    }
}

/// A connection's place in every count; dropped, it is given back.
pub(crate) struct Slot {
    route: Arc<RouteCount>,
    /// Boxed, since most apps do not count peers.
    peer: Option<Box<IpAddr>>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let RouteCount { app, live, .. } = &*self.route;
        live.fetch_sub(1, Ordering::AcqRel);
        if let Some(peer) = &self.peer {
            let mut peers = lock(&app.peers);
            if let Some(count) = peers.get_mut(peer) {
                *count -= 1;
                if *count == 0 {
                    peers.remove(peer);
                }
            }
        }
        app.leave();
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// Whether both close frames went over the wire.
fn is_closed(shared: &Shared) -> bool {
    shared.lock().engine.outcome().clean
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The guarded sections only insert, remove and count.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
