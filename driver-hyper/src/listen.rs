//! Where a server listens.

use std::{
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use tokio::net::{TcpListener, TcpSocket, lookup_host};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixSocket, UnixStream};

use wharf_sdk::driver::serve;

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
    /// Binds it for a number of workers. Each gets a queue of a port's connections of its own; what
    /// they cannot have each of their own, they share.
    pub(crate) async fn bind(self, workers: usize) -> io::Result<Vec<Bound>> {
        match self {
            Self::Tcp(address) => bind_tcp(&address, workers).await,
            Self::InheritedTcp(listener) => share(&listener, workers),
            #[cfg(unix)]
            Self::Unix(path) => {
                let listener = bind_unix(&path).await?;
                let mut file = Some(RemovedFile(path));
                let shared = (0..workers).map(|_| listener.try_clone());
                let bound = shared.map(|listener| Ok(Bound::Unix(listener?, file.take())));
                bound.collect()
            }
            #[cfg(unix)]
            Self::InheritedUnix(listener) => {
                let shared = (0..workers).map(|_| listener.try_clone());
                shared
                    .map(|listener| Ok(Bound::Unix(listener?, None)))
                    .collect()
            }
        }
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
async fn bind_tcp(address: &str, workers: usize) -> io::Result<Vec<Bound>> {
    let mut failed = None;
    for address in lookup_host(address).await? {
        match bind_port(address, workers) {
            Ok(listeners) => return Ok(listeners),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

/// On Linux, the kernel spreads a port's connections over the listeners that share it.
#[cfg(target_os = "linux")]
fn bind_port(address: SocketAddr, workers: usize) -> io::Result<Vec<Bound>> {
    if workers == 1 {
        return Ok(vec![listen_tcp(socket(address)?, address)?]);
    }
    // Those who share a port do not see that another process has it; this one does.
    let alone = socket(address)?;
    alone.bind(address)?;
    let address = alone.local_addr()?;
    drop(alone);
    let shared = (0..workers).map(|_| {
        let socket = socket(address)?;
        socket.set_reuseport(true)?;
        listen_tcp(socket, address)
    });
    shared.collect()
}

/// Elsewhere one of the listeners would get them all, so there is one, and whoever is free accepts.
#[cfg(not(target_os = "linux"))]
fn bind_port(address: SocketAddr, workers: usize) -> io::Result<Vec<Bound>> {
    match listen_tcp(socket(address)?, address)? {
        Bound::Tcp(listener) => share(&listener, workers),
        other => Ok(vec![other]),
    }
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A server that was stopped is started again while old connections linger.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    Ok(socket)
}

fn listen_tcp(socket: TcpSocket, address: SocketAddr) -> io::Result<Bound> {
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std().map(Bound::Tcp)
}

/// One queue of connections for all workers.
fn share(listener: &std::net::TcpListener, workers: usize) -> io::Result<Vec<Bound>> {
    let shared = (0..workers).map(|_| listener.try_clone().map(Bound::Tcp));
    shared.collect()
}

/// Takes the place of a socket file that nobody listens at any more.
#[cfg(unix)]
async fn bind_unix(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    let is_dead = async || {
        let connected = UnixStream::connect(path).await;
        connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    };
    if is_dead().await {
        std::fs::remove_file(path)?;
    }
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    socket.listen(BACKLOG)?.into_std()
}

/// A bound listener, on no runtime yet.
#[derive(Debug)]
pub(crate) enum Bound {
    Tcp(std::net::TcpListener),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener, Option<RemovedFile>),
}

impl Bound {
    pub(crate) fn address(&self) -> io::Result<Address> {
        Ok(match self {
            Self::Tcp(listener) => Address::Tcp(listener.local_addr()?),
            #[cfg(unix)]
            Self::Unix(listener, _) => {
                let path = listener.local_addr()?;
                Address::Unix(path.as_pathname().map(Path::to_path_buf))
            }
        })
    }

    /// Listens on the runtime that this is called on.
    pub(crate) fn listen(self) -> io::Result<Listener> {
        Ok(match self {
            Self::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                Listener::Tcp(TcpListener::from_std(listener)?)
            }
            #[cfg(unix)]
            Self::Unix(listener, _file) => {
                listener.set_nonblocking(true)?;
                let listener = UnixListener::from_std(listener)?;
                Listener::Unix { listener, _file }
            }
        })
    }
}

/// A listener that accepts.
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
    /// The next connection, and the address at its other end.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(crate) async fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                serve::prepare(&stream);
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
