//! Where a server listens.

use std::{
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use tokio::net::{TcpListener, TcpSocket, lookup_host};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixSocket, UnixStream};

use crate::stream::Stream;

/// Connections that the kernel queues until they are accepted.
const BACKLOG: u32 = 1024;

/// An address that a server is told to listen at.
#[derive(Debug)]
pub(crate) enum Source {
    Tcp(String),
    InheritedTcp(std::net::TcpListener),
    #[cfg(unix)]
    Unix(PathBuf),
    #[cfg(unix)]
    InheritedUnix(std::os::unix::net::UnixListener),
}

impl Source {
    pub(crate) async fn listen(self) -> io::Result<Listener> {
        Ok(match self {
            Self::Tcp(address) => Listener::Tcp(listen_tcp(&address).await?),
            Self::InheritedTcp(listener) => {
                listener.set_nonblocking(true)?;
                Listener::Tcp(TcpListener::from_std(listener)?)
            }
            #[cfg(unix)]
            Self::Unix(path) => {
                let listener = listen_unix(&path).await?;
                Listener::Unix {
                    listener,
                    _file: Some(RemovedFile(path)),
                }
            }
            #[cfg(unix)]
            Self::InheritedUnix(listener) => {
                listener.set_nonblocking(true)?;
                Listener::Unix {
                    listener: UnixListener::from_std(listener)?,
                    _file: None,
                }
            }
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            #[cfg(unix)]
            Self::Unix(path) => path.display().fmt(f),
            _ => f.write_str("the inherited listener"),
        }
    }
}

/// The first of the addresses of this name that can be bound.
async fn listen_tcp(address: &str) -> io::Result<TcpListener> {
    let mut failed = None;
    for address in lookup_host(address).await? {
        let bound = (|| {
            let socket = match address {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            // A server that was stopped is started again while old connections linger.
            #[cfg(unix)]
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        })();
        match bound {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

/// Takes the place of a socket file that nobody listens at any more.
#[cfg(unix)]
async fn listen_unix(path: &Path) -> io::Result<UnixListener> {
    let is_dead = async || {
        let connected = UnixStream::connect(path).await;
        connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    };
    if is_dead().await {
        std::fs::remove_file(path)?;
    }
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    socket.listen(BACKLOG)
}

/// A bound listener.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix {
        listener: UnixListener,
        _file: Option<RemovedFile>,
    },
}

impl Listener {
    pub(crate) fn address(&self) -> io::Result<Address> {
        Ok(match self {
            Self::Tcp(listener) => Address::Tcp(listener.local_addr()?),
            #[cfg(unix)]
            Self::Unix { listener, .. } => {
                let path = listener.local_addr()?;
                Address::Unix(path.as_pathname().map(Path::to_path_buf))
            }
        })
    }

    /// The next connection, and the address at its other end.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(crate) async fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Wharf gathers writes itself; waiting for more in the kernel only adds latency.
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), Some(peer)))
            }
            #[cfg(unix)]
            Self::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), None))
            }
        }
    }
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// An address and port: the real port even if 0 was asked for.
    Tcp(SocketAddr),
    /// The path of a Unix socket, if it has one.
    Unix(Option<PathBuf>),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(Some(path)) => path.display().fmt(f),
            Self::Unix(None) => f.write_str("a Unix socket"),
        }
    }
}

/// A socket file, which is removed with its listener.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct RemovedFile(PathBuf);

#[cfg(unix)]
impl Drop for RemovedFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
