//! The seam: a driver hands over bytes, and the session begins.

use std::{fmt, time::Duration};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use crate::{
    app::Upgrade,
    driver::serve,
    policy::{DeflateParams, Limits},
    session::Session,
    wire::{NativeFactory, Role, WireTransport},
};

/// How long a driver waits for its framework to hand a connection over behind the 101.
pub const HANDOVER_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection right behind its 101, with what its driver can do to it.
///
/// What the session is capable of follows from what is handed over: one that cannot be aborted
/// declares no `abort`, one without a factory no native socket.
pub struct Connection<IO> {
    io: IO,
    early: Bytes,
    abort: Option<fn(&IO)>,
    native: Option<NativeFactory>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Connection<IO> {
    /// Bytes in both directions, nothing more.
    pub fn new(io: IO) -> Self {
        Self {
            io,
            early: Bytes::new(),
            abort: None,
            native: None,
        }
    }

    /// Bytes that came with the request and belong to the session.
    #[must_use]
    pub fn with_early(mut self, early: Bytes) -> Self {
        self.early = early;
        self
    }

    /// How to drop the connection with what is unsent: the system else goes on for minutes with
    /// what a peer does not take.
    #[must_use]
    pub fn with_abort(mut self, abort: fn(&IO)) -> Self {
        self.abort = Some(abort);
        self
    }

    /// How to make the framework's own socket.
    #[must_use]
    pub fn with_native(mut self, factory: NativeFactory) -> Self {
        self.native = Some(factory);
        self
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Connection<IO> {
    pub(super) fn into_transport(
        self,
        role: Role,
        limits: &Limits,
        deflate: Option<&DeflateParams>,
        subprotocol: Option<&str>,
    ) -> WireTransport<IO> {
        let mut transport =
            WireTransport::in_role(role, self.io, &self.early, limits.into()).with_deflate(deflate);
        if let Some(abort) = self.abort {
            transport = transport.with_abort(abort);
        }
        if let Some(factory) = self.native {
            transport = transport.with_native(factory, subprotocol.map(str::to_owned));
        }
        transport
    }
}

impl Connection<TcpStream> {
    /// A TCP connection that the session owns: it can be reset, small messages leave at once, and
    /// the kernel queues little for a peer that does not read.
    pub fn tcp(stream: TcpStream) -> Self {
        serve::prepare(&stream);
        Self::new(stream).with_abort(|stream| drop(stream.set_zero_linger()))
    }
}

impl<IO> fmt::Debug for Connection<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("early_bytes", &self.early.len())
            .field("abort", &self.abort.is_some())
            .field("native", &self.native.is_some())
            .finish_non_exhaustive()
    }
}

impl Upgrade {
    /// Makes the session over an upgraded connection.
    pub fn connect<IO>(self, connection: Connection<IO>) -> Session<WireTransport<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let transport = connection.into_transport(
            Role::Server,
            self.limits(),
            self.deflate(),
            self.subprotocol(),
        );
        self.start(transport)
    }
}
