//! How a session begins.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;

use super::{
    clock::now,
    end::SessionEnd,
    engine::Engine,
    guards::Guards,
    hooks::SessionHooks,
    info::SessionInfo,
    registry::{Registry, Slot},
    run::Session,
    shared::Shared,
    socket::Socket,
};
use crate::{
    message::Result,
    policy::{LONGEST, Limits},
    wire::Transport,
};

/// Everything that a session needs besides its transport.
pub(crate) struct SessionParts {
    pub(crate) info: Arc<SessionInfo>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) hooks: Arc<dyn SessionHooks>,
    pub(crate) registry: Arc<Registry>,
    /// How long the principal's credential is still good.
    pub(crate) expires_in: Option<Duration>,
    pub(crate) slot: Slot,
    /// What middleware wants to be dropped with the session.
    pub(crate) guards: Guards,
}

impl SessionParts {
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
        let enrolled = self.registry.enroll(&shared);
        let socket = Socket::new(Arc::clone(&shared));
        // Called inside the session, which catches its panics from the first line on.
        let handler = Box::pin(async move { handler(socket).await });
        let end = SessionEnd::new(
            self.hooks,
            Arc::clone(&shared.info),
            started,
            (enrolled, self.slot, self.guards),
        );
        end.tell_upgraded();
        Session::new(shared, transport, handler, end)
    }
}
