//! A server for an app, alone or in a service around it.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use wharf_sdk::{
    App, BoxError, Result, ShutdownReport,
    driver::serve::{self, Seats, StopSignals},
};

use crate::{
    accept::Acceptor,
    driver::Driver,
    error,
    listen::{Address, Bound, Source},
    served::Served,
    settings::Settings,
    upgrade::Service,
    worker,
};

/// How long a request's head may take, and how long a connection may be idle between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a peer may take nothing of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// A server to be bound: see [`server`](crate::server()).
#[derive(Debug)]
#[must_use = "a server listens once it is bound, and accepts once it runs"]
pub struct ServerBuilder {
    app: App,
    served: Served,
    sources: Vec<Source>,
    max_connections: Option<usize>,
    workers: Option<NonZeroUsize>,
    head_timeout: Duration,
    write_timeout: Duration,
    #[cfg(feature = "tls")]
    tls: Option<crate::Tls>,
    #[cfg(feature = "http2")]
    http2: bool,
}

impl ServerBuilder {
    /// A server of a driver that stands on this one.
    pub fn new(app: App, driver: Driver) -> Self {
        Self {
            served: Served::new(Service::new(app.clone(), driver)),
            app,
            sources: Vec::new(),
            max_connections: None,
            workers: None,
            head_timeout: HEAD_TIMEOUT,
            write_timeout: WRITE_TIMEOUT,
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "http2")]
            http2: false,
        }
    }

    /// Listens at an address and port, port 0 for a free one. Of a name that has several
    /// addresses, the first that can be bound.
    pub fn tcp(self, address: impl Into<String>) -> Self {
        self.listening(Source::Tcp(address.into()))
    }

    /// Listens at a Unix socket. A file that nobody listens at any more is replaced, and the file
    /// is removed when the server ends. Peers have no address: caps per peer do not count them.
    #[cfg(unix)]
    pub fn unix(self, path: impl Into<PathBuf>) -> Self {
        self.listening(Source::Unix(path.into()))
    }

    /// Listens at a listener that is bound already, such as one from a supervisor. Its backlog is
    /// as it was given.
    pub fn tcp_listener(self, listener: std::net::TcpListener) -> Self {
        self.listening(Source::InheritedTcp(listener))
    }

    /// Listens at a Unix listener that is bound already. Its file stays.
    #[cfg(unix)]
    pub fn unix_listener(self, listener: std::os::unix::net::UnixListener) -> Self {
        self.listening(Source::InheritedUnix(listener))
    }

    fn listening(mut self, source: Source) -> Self {
        self.sources.push(source);
        self
    }

    /// The most connections at a time, sockets or not: whatever holds a descriptor counts, from
    /// its first byte on. By default as many as the process may have descriptors
    /// (`RLIMIT_NOFILE`), less an eighth, at least 48 and at most 1,024, for everything else that
    /// it opens.
    ///
    /// When there are as many, the connection that has been there longest without becoming a
    /// socket makes room for the next; when all are sockets, the next is told 503.
    pub fn max_connections(mut self, most: usize) -> Self {
        self.max_connections = Some(most);
        self
    }

    /// Serves on this many threads, each with a runtime and, of every port, a queue of connections
    /// of its own; 0 is as many as there are cores. A connection stays on its thread, and so does what
    /// its handler spawns.
    ///
    /// By default the server runs on the runtime that runs it, which moves connections between its
    /// threads: whoever has little to do takes from others. Workers never do. They save what that
    /// costs where there are many small messages; one long computation holds up every socket of its
    /// thread (`tokio::task::spawn_blocking` is for those, and `block_in_place` is not to be had).
    /// The kernel spreads connections by a hash of their addresses, so a few of them may be on one
    /// thread.
    pub fn workers(mut self, count: usize) -> Self {
        let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.workers = Some(NonZeroUsize::new(count).unwrap_or_else(cores));
        self
    }

    /// Serves this instead of the app alone: a tower service in which the app is mounted, such as a
    /// router. Requests have a [`ConnectionInfo`](crate::ConnectionInfo) among their extensions.
    ///
    /// The server still ends when the app is shut down, and begins to end with it.
    pub fn serving<S, B>(mut self, service: S) -> Self
    where
        S: tower_service::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        self.served = Served::new(service);
        self
    }

    /// How long a request's head may take, a TLS handshake, and a connection between two requests:
    /// 5 s by default.
    pub fn head_timeout(mut self, timeout: Duration) -> Self {
        self.head_timeout = timeout;
        self
    }

    /// How long a peer may take nothing of what it is answered: 10 s by default. Sockets have a
    /// write deadline of their own.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// Speaks TLS at every address. Plain HTTP gets a 400 that says so.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Offers HTTP/2 beside HTTP/1.1: browsers then open sockets on the connection that they have,
    /// as streams of their own ([RFC 8441]). Off by default.
    ///
    /// With [`tls`](Self::tls) it is settled in the handshake. Without, a connection is HTTP/2 if
    /// that is how it begins: of proxies, which know it beforehand; no browser does.
    ///
    /// A connection has at most 128 streams, and ends when it had neither a request nor a socket
    /// for 30 s.
    ///
    /// [RFC 8441]: https://www.rfc-editor.org/rfc/rfc8441
    #[cfg(feature = "http2")]
    pub fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    #[cfg(feature = "tls")]
    fn protocols(&self) -> &'static [&'static [u8]] {
        #[cfg(feature = "http2")]
        if self.http2 {
            return &[crate::settings::HTTP_2, crate::settings::HTTP_1];
        }
        &[crate::settings::HTTP_1]
    }

    /// Binds all addresses. The server accepts once it is [run](Server::run).
    ///
    /// # Errors
    ///
    /// `WHARF_BIND` if an address cannot be bound, `WHARF_NO_ADDRESS` if there is none.
    pub async fn bind(self) -> Result<Server> {
        #[cfg(feature = "tls")]
        let protocols = self.protocols();
        let workers = self.workers.map_or(1, NonZeroUsize::get);
        let mut listeners: Vec<_> = (0..workers).map(|_| Vec::new()).collect();
        let mut addresses = Vec::with_capacity(self.sources.len());
        for source in self.sources {
            let name = source.to_string();
            let bound = source.bind(workers).await;
            let bound = bound.map_err(|cause| serve::bind_error(&name, cause))?;
            addresses.extend(bound.first().map(Bound::address).transpose()?);
            for (worker, listener) in listeners.iter_mut().zip(bound) {
                worker.push(listener);
            }
        }
        if addresses.is_empty() {
            return Err(error::no_address());
        }
        let settings = Settings {
            #[cfg(feature = "http2")]
            app: self.app.clone(),
            served: self.served,
            head_timeout: self.head_timeout,
            write_timeout: self.write_timeout,
            #[cfg(feature = "tls")]
            tls: self.tls.map(|tls| tls.into_acceptor(protocols)),
            #[cfg(feature = "http2")]
            http2: self.http2,
        };
        let limit = self
            .max_connections
            .unwrap_or_else(serve::default_max_connections);
        Ok(Server {
            app: self.app,
            acceptor: Acceptor::new(settings, Seats::new(limit)),
            listeners,
            addresses,
            is_threaded: self.workers.is_some(),
            stop: StopSignals::listen()?,
        })
    }
}

/// A bound server.
#[derive(Debug)]
pub struct Server {
    app: App,
    acceptor: Acceptor,
    /// Those of each worker.
    listeners: Vec<Vec<Bound>>,
    addresses: Vec<Address>,
    /// Whether workers have threads of their own.
    is_threaded: bool,
    stop: StopSignals,
}

impl Server {
    /// The first address and port that is bound: the port is the real one even if 0 was asked for.
    /// Unspecified if there are only Unix sockets.
    pub fn local_addr(&self) -> SocketAddr {
        let tcp = self.addresses.iter().find_map(|address| match address {
            Address::Tcp(address) => Some(*address),
            Address::Unix(_) => None,
        });
        tcp.unwrap_or_else(|| (Ipv4Addr::UNSPECIFIED, 0).into())
    }

    /// Everywhere that the server listens, in the order in which it was told.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Serves until the app is shut down through its handle or the process is told to stop
    /// (SIGTERM, ctrl-c), which shuts it down; told a second time, it aborts what is left.
    ///
    /// # Errors
    ///
    /// Kind `Io` if the system gives no threads to the workers, or takes the listeners back.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops accepting; sessions go on until the app is shut down.
    pub async fn run(self) -> Result<ShutdownReport> {
        let Self {
            app,
            acceptor,
            listeners,
            is_threaded,
            stop,
            ..
        } = self;
        let shut_down = serve::until_shut_down(&app, stop);
        if is_threaded {
            let workers = worker::spawn(&app, &acceptor, listeners)?;
            let report = shut_down.await;
            workers.ended().await;
            return Ok(report);
        }
        let mut report = ShutdownReport::default();
        let over = async { report = shut_down.await };
        let listeners = listeners.into_iter().flatten();
        acceptor.run(listeners, over).await?;
        Ok(report)
    }
}
