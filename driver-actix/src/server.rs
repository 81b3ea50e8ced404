//! A server for an app alone.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use tokio::net::{TcpSocket, lookup_host};
use wharf_sdk::{
    App, Result, ShutdownReport,
    driver::serve::{self, Seats, StopSignals},
};

use crate::worker::{Handshake, worker};

/// Connections that the kernel queues until they are accepted.
const BACKLOG: u32 = 1024;

/// A bound server.
#[derive(Debug)]
pub struct Server {
    app: App,
    listener: TcpListener,
    address: SocketAddr,
    stop: StopSignals,
    workers: usize,
    max_connections: usize,
    #[cfg(feature = "tls")]
    tls: Option<crate::Tls>,
}

impl Server {
    pub(crate) async fn bind(app: App, address: &str) -> Result<Self> {
        let listener = listen(address).await;
        let listener = listener.map_err(|cause| serve::bind_error(address, cause))?;
        let address = listener.local_addr()?;
        Ok(Self {
            app,
            listener,
            address,
            stop: StopSignals::listen()?,
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            max_connections: serve::default_max_connections(),
            #[cfg(feature = "tls")]
            tls: None,
        })
    }

    /// The most connections at a time, sockets or not: whatever holds a descriptor counts, from
    /// its first byte on. By default as many as the process may have descriptors
    /// (`RLIMIT_NOFILE`), less an eighth, at least 48 and at most 1,024, for everything else that
    /// it opens.
    ///
    /// When there are as many, the connection that has been there longest without becoming a
    /// socket makes room for the next; when all are sockets, the next is told 503.
    #[must_use]
    pub fn max_connections(mut self, most: usize) -> Self {
        self.max_connections = most;
        self
    }

    /// Speaks TLS, and HTTP/1.1 over it: actix's HTTP/2 has no extended CONNECT, and offered it,
    /// browsers would first ask for sockets in vain. Plain HTTP gets a 400 that says so; a handshake
    /// has 5 s.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: crate::Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// How many threads serve connections: by default as many as there are cores.
    #[must_use]
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = count.max(1);
        self
    }

    /// The address that is bound: the port is the real one even if 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the app is shut down through its handle or the process is told to stop
    /// (SIGTERM, ctrl-c), which shuts it down; told a second time, it aborts what is left.
    ///
    /// # Errors
    ///
    /// Kind `Io` if accepting fails for good.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the server.
    pub async fn run(self) -> Result<ShutdownReport> {
        let Self {
            app,
            listener,
            address,
            stop,
            workers,
            max_connections,
            #[cfg(feature = "tls")]
            tls,
        } = self;
        let handshake = Handshake {
            #[cfg(feature = "tls")]
            acceptor: tls.map(|tls| tls.into_acceptor(&[b"http/1.1"])),
        };
        let (served, seats) = (app.clone(), Seats::new(max_connections));
        let server = actix_server::Server::build()
            .workers(workers)
            // On their way from the accepting thread to a worker, where they get their seats.
            .max_concurrent_connections((serve::spare_descriptors() / 8 / workers).max(2))
            // Wharf handles them: sessions are closed before the server is stopped.
            .disable_signals()
            .listen("wharf", listener, move || {
                worker(served.clone(), seats.clone(), handshake.clone(), address)
            })
            .map_err(wharf_sdk::Error::from)?
            .run();
        let handle = server.handle();
        let mut server = std::pin::pin!(server);
        tokio::select! {
            report = serve::until_shut_down(&app, stop) => {
                // Sessions are closed already; what is left is plain HTTP under way.
                let stopping = handle.stop(false);
                let _ = futures::future::join(stopping, server).await;
                Ok(report)
            }
            ended = &mut server => {
                ended?;
                Ok(ShutdownReport::default())
            }
        }
    }
}

/// Listens at the first address of a name that can be bound.
async fn listen(address: &str) -> io::Result<TcpListener> {
    let mut failed = io::ErrorKind::AddrNotAvailable.into();
    for address in lookup_host(address).await? {
        match listen_at(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A server that is started again takes over from connections that are still ending.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}
