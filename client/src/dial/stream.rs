//! What a session's bytes go over.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A connection of the system's.
#[derive(Debug)]
pub(crate) enum Plain {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    #[cfg(feature = "testing")]
    Memory(tokio::io::DuplexStream),
}

/// The same, perhaps with TLS around it.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(Plain),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<Plain>>),
}

impl Stream {
    fn plain(&self) -> &Plain {
        match self {
            Self::Plain(plain) => plain,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.get_ref().0,
        }
    }

    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        match self.plain() {
            Plain::Tcp(tcp) => tcp.peer_addr().ok(),
            #[cfg(unix)]
            Plain::Unix(_) => None,
            #[cfg(feature = "testing")]
            Plain::Memory(_) => None,
        }
    }

    /// Makes the drop of the connection forget what is unsent.
    pub(crate) fn abort(&self) {
        if let Plain::Tcp(tcp) = self.plain() {
            let _ = tcp.set_zero_linger();
        }
    }
}

/// Both enums pass everything on to what is in them.
macro_rules! pass_on {
    ($name:ty { $($(#[$meta:meta])* $variant:path),* $(,)? }) => {
        impl AsyncRead for $name {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $($(#[$meta])* $variant(io) => Pin::new(io).poll_read(cx, buffer)),*
                }
            }
        }

        impl AsyncWrite for $name {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    $($(#[$meta])* $variant(io) => Pin::new(io).poll_write(cx, bytes)),*
                }
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                slices: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    $($(#[$meta])* $variant(io) => Pin::new(io).poll_write_vectored(cx, slices)),*
                }
            }

            fn is_write_vectored(&self) -> bool {
                match self {
                    $($(#[$meta])* $variant(io) => io.is_write_vectored()),*
                }
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $($(#[$meta])* $variant(io) => Pin::new(io).poll_flush(cx)),*
                }
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $($(#[$meta])* $variant(io) => Pin::new(io).poll_shutdown(cx)),*
                }
            }
        }
    };
}

pass_on!(Plain {
    Self::Tcp,
    #[cfg(unix)]
    Self::Unix,
    #[cfg(feature = "testing")]
    Self::Memory,
});
pass_on!(Stream {
    Self::Plain,
    #[cfg(feature = "tls")]
    Self::Tls,
});
