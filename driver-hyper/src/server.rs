//! A server for an app alone.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};
use wharf_sdk::{
    App, Result, ShutdownReport,
    driver::serve::{self, StopSignals},
};

use crate::{
    Driver,
    connection::Settings,
    error,
    listen::{Address, Listener, Source},
    places::{self, Places},
    stream::{Seated, Stream},
    upgrade::Service,
};

/// How long a request's head may take, and how long a connection may be idle between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a peer may take nothing of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long plain HTTP connections get to finish after the last session ended.
const HTTP_GRACE: Duration = Duration::from_millis(500);

/// How long accepting pauses when the process is out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How many connections make room when the process is out of descriptors.
const EVICTIONS: usize = 8;

/// How many connections are told at a time that there is no place: each has a descriptor.
const REFUSALS: usize = 16;

/// How long being told may take.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// A server to be bound: see [`server`](crate::server()).
#[derive(Debug)]
#[must_use = "a server listens once it is bound, and accepts once it runs"]
pub struct ServerBuilder {
    app: App,
    driver: Driver,
    sources: Vec<Source>,
    max_connections: Option<usize>,
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
            app,
            driver,
            sources: Vec::new(),
            max_connections: None,
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

    /// Offers HTTP/2 beside HTTP/1.1 to clients that connect by TLS: browsers then open sockets on
    /// the connection that they have, as streams of their own ([RFC 8441]). Off by default. It needs
    /// [`tls`](Self::tls), where the protocol is settled.
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
            return &[crate::connection::HTTP_2, crate::connection::HTTP_1];
        }
        &[crate::connection::HTTP_1]
    }

    /// Binds all addresses. The server accepts once it is [run](Server::run).
    ///
    /// # Errors
    ///
    /// `WHARF_BIND` if an address cannot be bound, `WHARF_NO_ADDRESS` if there is none,
    /// `WHARF_HTTP2_WITHOUT_TLS`.
    pub async fn bind(self) -> Result<Server> {
        #[cfg(feature = "tls")]
        let protocols = self.protocols();
        #[cfg(feature = "http2")]
        if self.http2 && self.tls.is_none() {
            return Err(error::http2_without_tls());
        }
        let mut listeners = Vec::with_capacity(self.sources.len());
        let mut addresses = Vec::with_capacity(self.sources.len());
        for source in self.sources {
            let name = source.to_string();
            let listener = source.listen().await;
            let listener = listener.map_err(|cause| serve::bind_error(&name, cause))?;
            addresses.push(listener.address()?);
            listeners.push(listener);
        }
        if listeners.is_empty() {
            return Err(error::no_address());
        }
        let limit = self.max_connections.unwrap_or_else(places::default_limit);
        Ok(Server {
            settings: Arc::new(Settings {
                service: Service::new(self.app.clone(), self.driver),
                head_timeout: self.head_timeout,
                write_timeout: self.write_timeout,
                #[cfg(feature = "tls")]
                tls: self.tls.map(|tls| tls.into_config(protocols)),
            }),
            app: self.app,
            listeners,
            addresses,
            places: Places::new(limit),
            stop: StopSignals::listen()?,
        })
    }
}

/// A bound server.
#[derive(Debug)]
pub struct Server {
    app: App,
    settings: Arc<Settings>,
    listeners: Vec<Listener>,
    addresses: Vec<Address>,
    places: Arc<Places>,
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
    /// None today; other drivers fail if accepting does for good.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops accepting; sessions go on until the app is shut down.
    pub async fn run(self) -> Result<ShutdownReport> {
        // Every connection holds a receiver until it ends or becomes a socket.
        let (stop, stopped) = watch::channel(());
        let acceptor = Acceptor {
            settings: self.settings,
            places: self.places,
            refusals: Arc::new(Semaphore::new(REFUSALS)),
            stopped,
        };
        let report = {
            let accepting = join_all(self.listeners.iter().map(|at| acceptor.accept(at)));
            let shut_down = pin!(serve::until_shut_down(&self.app, self.stop));
            tokio::select! {
                report = shut_down => report,
                _ = accepting => ShutdownReport::default(),
            }
        };
        drop((self.listeners, acceptor));
        let _ = stop.send(());
        // What does not finish in time ends with the runtime.
        let _ = timeout(HTTP_GRACE, stop.closed()).await;
        Ok(report)
    }
}

/// Turns what the listeners yield into connections that are served.
struct Acceptor {
    settings: Arc<Settings>,
    places: Arc<Places>,
    refusals: Arc<Semaphore>,
    stopped: watch::Receiver<()>,
}

impl Acceptor {
    /// Accepts for ever.
    async fn accept(&self, listener: &Listener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.admit(stream, peer).await,
                // One that was gone before it was accepted; the next may be there already.
                Err(error) if is_peers(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    for _ in 0..EVICTIONS {
                        self.places.evict_oldest();
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn admit(&self, stream: Stream, peer: Option<SocketAddr>) {
        match self.places.take().await {
            Some(place) => {
                let connection = Seated { stream, place };
                let settings = Arc::clone(&self.settings);
                tokio::spawn(settings.serve(connection, peer, self.stopped.clone()));
            }
            None => self.refuse(stream),
        }
    }

    /// Tells a connection that there is no place; dropped in silence if many are being told, and
    /// over TLS, where it would cost a handshake.
    fn refuse(&self, stream: Stream) {
        tracing::warn!("all connections are taken by sockets; one more was refused");
        #[cfg(feature = "tls")]
        if self.settings.tls.is_some() {
            return;
        }
        let (Ok(permit), Stream::Tcp(mut stream)) =
            (Arc::clone(&self.refusals).try_acquire_owned(), stream)
        else {
            return;
        };
        tokio::spawn(timeout(REFUSAL_TIMEOUT, async move {
            let _permit = permit;
            // What stays unread would make a reset of the end, and the client lose the answer.
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(error::full().as_bytes()).await;
        }));
    }
}

fn is_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
