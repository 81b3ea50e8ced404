//! The seam from the other side: a client hands over the connection that it has opened.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::Extensions;
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::Connection;
use crate::{
    app::{Observer, observer::Observers},
    handler::Handler,
    message::{CloseCode, CloseFrame, CloseOutcome, ConnectionId, Error, Result},
    policy::{DeflateParams, Limits},
    request::{Context, UpgradeRequest},
    session::{
        Counts, Guards, Registry, Session, SessionHooks, SessionInfo, SessionParts, Socket, Way,
    },
    wire::{MaskKeys, Role, WireTransport},
};

/// Whom a client tells of its connections: made once, and shared by all of them.
#[derive(Debug, Clone)]
pub struct DialObservers(Arc<Observers>);

impl DialObservers {
    /// Tells these.
    pub fn new(observers: Vec<Arc<dyn Observer>>) -> Self {
        Self(Arc::new(Observers::new(observers)))
    }
}

impl Default for DialObservers {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

/// A connection that a client is about to make, under the id that its session will have.
#[derive(Debug)]
pub struct Dialling {
    info: SessionInfo,
    observers: DialObservers,
}

impl Dialling {
    /// A connection to `target`, which is what observers and logs see as its route.
    pub fn new(target: impl Into<Arc<str>>) -> Self {
        let target = target.into();
        let way = Way {
            pattern: Arc::clone(&target),
            route: target,
            method: "GET",
            driver: "client",
        };
        Self {
            info: SessionInfo::new(ConnectionId::next(), Arc::new(way)),
            observers: DialObservers::default(),
        }
    }

    /// Who hears how it goes on.
    #[must_use]
    pub fn with_observers(mut self, observers: DialObservers) -> Self {
        self.observers = observers;
        self
    }

    /// What is known of the session to come.
    pub fn info(&self) -> &SessionInfo {
        &self.info
    }

    /// Nothing came of it: tells the observers. The status is the server's or, where it answered
    /// nothing, the error's own.
    pub fn rejected(&self, request: UpgradeRequest, error: &Error) {
        let driver = self.info.driver();
        let context = Context::new(request, None, driver, None, Arc::default());
        let context = context.dialled(&self.info);
        let DialObservers(observers) = &self.observers;
        observers.rejected(&context, error.status(), Some(error));
    }

    /// The server answered with a 101. `keys` mask the frames.
    pub fn answered(self, limits: Arc<Limits>, keys: MaskKeys) -> Dialled {
        Dialled {
            limits,
            info: self.info.begun(),
            observers: self.observers,
            keys,
            deflate: None,
        }
    }
}

/// A connection that was dialled and answered with a 101: a client's half of [`Upgrade`](super::Upgrade).
/// Made by [`Dialling::answered`].
///
/// The session is the server's: the same frames, limits, queue, heartbeat and close handshake.
#[derive(Debug)]
pub struct Dialled {
    limits: Arc<Limits>,
    info: SessionInfo,
    observers: DialObservers,
    keys: MaskKeys,
    deflate: Option<DeflateParams>,
}

impl Dialled {
    /// The server's address.
    #[must_use]
    pub fn with_peer(mut self, peer: Option<SocketAddr>) -> Self {
        self.info = self.info.with_peer(peer);
        self
    }

    /// The subprotocol that the server selected.
    #[must_use]
    pub fn with_subprotocol(mut self, subprotocol: Option<&str>) -> Self {
        self.info = self.info.with_subprotocol(subprotocol.map(Into::into));
        self
    }

    /// How messages are compressed, as the server accepted it: see
    /// [`Compression::accept`](crate::Compression::accept).
    #[must_use]
    pub fn with_deflate(mut self, deflate: Option<DeflateParams>) -> Self {
        self.deflate = deflate;
        self
    }

    /// What is known of the session.
    pub fn info(&self) -> &SessionInfo {
        &self.info
    }

    /// Makes the session and the socket that it ends with: dropped, it closes with 1001.
    pub fn open<IO>(self, connection: Connection<IO>) -> (Session<WireTransport<IO>>, Socket)
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let (transport, parts) = self.split(connection);
        parts.open(transport)
    }

    /// Makes the session with a handler in it, which takes its arguments out of the request that
    /// was sent and out of `state`.
    ///
    /// # Errors
    ///
    /// What the handler's arguments refuse.
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits, the connection is closed.
    pub async fn serve<IO, Args>(
        self,
        connection: Connection<IO>,
        handler: &impl Handler<Args>,
        request: UpgradeRequest,
        state: Arc<Extensions>,
    ) -> Result<Session<WireTransport<IO>>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let context = Context::new(request, self.info.peer(), self.info.driver(), None, state);
        let context = context.dialled(&self.info);
        let prepared = handler.prepare(&context).await?;
        drop(context);
        let (transport, parts) = self.split(connection);
        Ok(parts.start(transport, prepared))
    }

    fn split<IO>(self, connection: Connection<IO>) -> (WireTransport<IO>, SessionParts)
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let transport = connection.into_transport(
            Role::Client(self.keys),
            &self.limits,
            self.deflate.as_ref(),
            self.info.subprotocol(),
        );
        let parts = SessionParts {
            info: self.info,
            limits: self.limits,
            hooks: self.observers.0,
            expires_in: None,
            slot: None,
            newest_wins: None,
            guards: Guards::default(),
        };
        (transport, parts)
    }
}

/// What a session asks for where there is no app: the observers' own methods of these names.
impl SessionHooks for Observers {
    fn registry(&self) -> Option<&Registry> {
        None
    }

    fn upgraded(&self, info: &SessionInfo) {
        self.upgraded(info);
    }

    fn failed(&self, info: &SessionInfo, error: &Error) {
        self.failed(info, error);
    }

    fn closed(
        &self,
        info: &SessionInfo,
        outcome: &CloseOutcome,
        duration: Duration,
        counts: Counts,
    ) {
        self.closed(info, outcome, duration, counts);
    }

    fn close_frame_for(&self, error: &Error) -> CloseFrame {
        let hidden = || CloseFrame::cut(CloseCode::INTERNAL, "");
        error.close_frame().cloned().unwrap_or_else(hidden)
    }
}
