//! How a session begins.

use std::{sync::Arc, time::Duration};

use super::{
    clock::now,
    end::SessionEnd,
    engine::Engine,
    guards::Guards,
    handler::{Handler, Start},
    hooks::SessionHooks,
    info::SessionInfo,
    registry::Slot,
    run::Session,
    shared::Shared,
    socket::Socket,
};
use crate::{
    message::CloseFrame,
    policy::{LONGEST, Limits},
    wire::Transport,
};

/// Everything that a session needs besides its transport.
pub(crate) struct SessionParts {
    pub(crate) info: SessionInfo,
    pub(crate) limits: Arc<Limits>,
    pub(crate) hooks: Arc<dyn SessionHooks>,
    /// How long the principal's credential is still good.
    pub(crate) expires_in: Option<Duration>,
    pub(crate) slot: Option<Slot>,
    /// How many sessions of its principal stay on its route, and what the older ones are closed with.
    pub(crate) newest_wins: Option<(usize, CloseFrame)>,
    /// What middleware wants to be dropped with the session.
    pub(crate) guards: Guards,
}

impl SessionParts {
    /// Makes the session; `handler` gets its socket, inside the session.
    pub(crate) fn start<T: Transport>(self, transport: T, handler: Start) -> Session<T> {
        let engine = self.engine();
        let (shared, end) = self.begin(engine);
        Session::new(shared, transport, Handler::new(handler), end)
    }

    /// Makes a session without a handler, and the socket that it ends with.
    pub(crate) fn open<T: Transport>(self, transport: T) -> (Session<T>, Socket) {
        let engine = self.engine().ending_when_left();
        let (shared, end) = self.begin(engine);
        let socket = Socket::new(Arc::clone(&shared));
        (
            Session::new(shared, transport, Handler::elsewhere(), end),
            socket,
        )
    }

    fn engine(&self) -> Engine {
        let started = now();
        let expires_at = self.expires_in.map(|left| started + left.min(LONGEST));
        Engine::new(Arc::clone(&self.limits), expires_at, started)
    }

    fn begin(self, engine: Engine) -> (Arc<Shared>, SessionEnd) {
        let shared = Arc::new(Shared::new(engine, self.info, self.limits));
        if let Some(registry) = self.hooks.registry() {
            registry.enroll(&shared);
            // Behind the enrolment: of two that come at once, each sees the other.
            if let Some((max, frame)) = &self.newest_wins {
                registry.close_oldest(&shared.info, *max, frame);
            }
        }
        let end = SessionEnd::new(self.hooks, self.guards, self.slot);
        end.tell_upgraded(&shared);
        (shared, end)
    }
}
