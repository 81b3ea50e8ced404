//! One connection's life.
//!
//! [`Session`] is the future that a driver runs; [`Socket`] and [`Sender`] are the handler's side
//! of it; the [`registry`] knows all of an app's sessions.

pub(crate) mod engine;
pub(crate) mod registry;
mod run;
mod sender;
mod shared;
mod socket;
mod teller;
mod timer;

use std::{
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;

use self::engine::Engine;
pub use self::{
    engine::Counts,
    registry::{ShutdownOptions, ShutdownReport},
    run::Session,
    sender::Sender,
    socket::{Gap, Socket},
};
pub(crate) use self::{
    shared::{Shared, now},
    timer::LONGEST,
};
use crate::{
    close::{CloseFrame, CloseOutcome},
    error::{Error, Result},
    policy::Limits,
    route::AppInner,
    transport::Transport,
    upgrade::Guards,
};

/// Identifies a connection within its process: unique, and never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

impl ConnectionId {
    pub(crate) fn next() -> Self {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The number.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionId({})", self.0)
    }
}

/// What is known of a session while it lives: what observers and logs are given.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct SessionInfo {
    /// The connection.
    pub id: ConnectionId,
    /// The route's pattern.
    pub route: Arc<str>,
    /// The driver's name.
    pub driver: &'static str,
    /// The peer's address, the forwarded one behind a trusted proxy.
    pub peer: Option<SocketAddr>,
    /// The selected subprotocol.
    pub subprotocol: Option<Arc<str>>,
    /// The principal's id.
    pub principal: Option<Arc<str>>,
}

/// Everything that a session needs besides its transport.
pub(crate) struct Seed {
    pub(crate) info: Arc<SessionInfo>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) app: Arc<AppInner>,
    /// How long the principal's credential is still good.
    pub(crate) expires_in: Option<Duration>,
    pub(crate) slot: registry::Slot,
    /// What middleware wants to be dropped with the session.
    pub(crate) guards: Guards,
}

impl Seed {
    /// Makes the session; `handler` gets its socket.
    pub(crate) fn start<T: Transport>(
        self,
        transport: T,
        handler: impl FnOnce(Socket) -> BoxFuture<'static, Result<()>> + Send + 'static,
    ) -> Session<T> {
        let started = now();
        let expires_at = self.expires_in.map(|left| started + left.min(LONGEST));
        let engine = Engine::new(Arc::clone(&self.limits), expires_at, started);
        let shared = Arc::new(Shared::new(engine, self.info, self.limits));
        let enrolled = self.app.registry.enroll(&shared);
        let socket = Socket::new(Arc::clone(&shared));
        // Called inside the session, which catches its panics from the first line on.
        let handler = Box::pin(async move { handler(socket).await });
        let ending = Ending {
            app: self.app,
            info: Arc::clone(&shared.info),
            started,
            _enrolled: enrolled,
            _slot: self.slot,
            _guards: self.guards,
        };
        ending.app.observers.upgraded(&ending.info);
        Session::new(shared, transport, handler, ending)
    }
}

/// What is owed once a session ends, and released with it on every path.
pub(crate) struct Ending {
    app: Arc<AppInner>,
    info: Arc<SessionInfo>,
    started: Instant,
    _enrolled: registry::Enrolled,
    _slot: registry::Slot,
    _guards: Guards,
}

impl Ending {
    /// The close frame that a handler's error asks for.
    fn close_frame_for(&self, error: &Error) -> CloseFrame {
        self.app.close_frame_for(error)
    }

    fn tell_failed(&self, error: &Error) {
        self.app.observers.failed(&self.info, error);
    }

    fn tell_closed(self, outcome: &CloseOutcome, counts: Counts) {
        let duration = now().saturating_duration_since(self.started);
        self.app
            .observers
            .closed(&self.info, outcome, duration, counts);
    }
}
