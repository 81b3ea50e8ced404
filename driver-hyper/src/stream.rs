//! Accepted connections, whatever they came through.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

#[cfg(unix)]
use rustix::net::{RecvFlags, recv};
#[cfg(unix)]
use tokio::io::Interest;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use wharf_sdk::driver::serve::{Seat, SocketSeat};

/// A connection that a session can run over: it can be dropped at once, and holds a seat.
pub(crate) trait Carried: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Has the system forget what is unsent.
    fn abort(&self);

    /// The seat that it takes.
    fn seat(&self) -> &Seat;
}

/// An accepted connection in its seat among all of them.
#[derive(Debug)]
pub(crate) struct Seated<S = Seat> {
    pub(crate) stream: Stream,
    pub(crate) seat: S,
}

impl Seated {
    /// The same for the rest of its life, as a socket.
    pub(crate) fn settle(self) -> Seated<SocketSeat> {
        Seated {
            stream: self.stream,
            seat: self.seat.settle(),
        }
    }
}

impl<S> Seated<S> {
    /// Has the system forget what is unsent.
    pub(crate) fn abort(&self) {
        // A Unix socket has nothing unsent: it is in the peer's buffer, or was not taken.
        if let Stream::Tcp(stream) = &self.stream {
            let _ = stream.set_zero_linger();
        }
    }
}

impl Carried for Seated {
    fn abort(&self) {
        self.abort();
    }

    fn seat(&self) -> &Seat {
        &self.seat
    }
}

/// A connection, as the system made it.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl Stream {
    /// How much of what comes first fits, without taking it from the connection; 0 at its end.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(crate) async fn peek(&self, first: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.peek(first).await,
            #[cfg(unix)]
            Self::Unix(stream) => {
                let peek = || Ok(recv(stream, &mut *first, RecvFlags::PEEK)?.1);
                stream.async_io(Interest::READABLE, peek).await
            }
        }
    }
}

macro_rules! forward {
    ($this:expr, $stream:ident => $call:expr) => {
        match &mut $this.get_mut().stream {
            Stream::Tcp($stream) => $call,
            #[cfg(unix)]
            Stream::Unix($stream) => $call,
        }
    };
}

impl<S: Unpin> AsyncRead for Seated<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        forward!(self, stream => Pin::new(stream).poll_read(cx, out))
    }
}

impl<S: Unpin> AsyncWrite for Seated<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        forward!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        forward!(self, stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    /// Both kinds do.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
