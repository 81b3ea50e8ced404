//! What carries a connection: TCP, with TLS over it or without.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
#[cfg(feature = "tls")]
use wharf_sdk::driver::tokio_rustls::{Accept, TlsAcceptor, server::TlsStream};

pub(crate) enum Link {
    Plain(TcpStream),
    /// A handshake is under way.
    #[cfg(feature = "tls")]
    Shaking(Box<Accept<TcpStream>>),
    #[cfg(feature = "tls")]
    Secure(Box<TlsStream<TcpStream>>),
}

impl Link {
    /// What is below; nothing while a handshake fails.
    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Plain(stream) => Some(stream),
            #[cfg(feature = "tls")]
            Self::Shaking(accept) => accept.get_ref(),
            #[cfg(feature = "tls")]
            Self::Secure(stream) => Some(stream.get_ref().0),
        }
    }

    /// Has the system forget what is unsent.
    pub(crate) fn abort(&self) {
        if let Some(stream) = self.tcp() {
            let _ = stream.set_zero_linger();
        }
    }

    pub(crate) fn is_secure(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            #[cfg(feature = "tls")]
            Self::Shaking(_) | Self::Secure(_) => true,
        }
    }

    #[cfg(feature = "tls")]
    pub(crate) fn begin_handshake(self, acceptor: &TlsAcceptor) -> Self {
        match self {
            Self::Plain(stream) => Self::Shaking(Box::new(acceptor.accept(stream))),
            begun => begun,
        }
    }

    /// Goes on with a handshake that was begun.
    #[cfg(feature = "tls")]
    pub(crate) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Self::Shaking(accept) = self {
            let stream = std::task::ready!(Pin::new(accept).poll(cx))?;
            *self = Self::Secure(Box::new(stream));
        }
        Poll::Ready(Ok(()))
    }
}

macro_rules! forward {
    ($this:expr, $stream:ident => $call:expr) => {
        match $this.get_mut() {
            Self::Plain($stream) => $call,
            #[cfg(feature = "tls")]
            Self::Shaking(_) => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            #[cfg(feature = "tls")]
            Self::Secure($stream) => $call,
        }
    };
}

impl AsyncRead for Link {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        forward!(self, stream => Pin::new(stream).poll_read(cx, out))
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        forward!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
