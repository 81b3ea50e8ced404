//! How a client is put together.

use std::{fmt, future::Future, io, net::SocketAddr, sync::Arc};

use futures::FutureExt;
use http::{Extensions, HeaderMap, header};
use wharf_sdk::{
    Configure, Error, Observer, Policy, Result, Socket, Subprotocols, driver::DialObservers,
};

use crate::{
    client::Client,
    dial::{Proxies, Proxy, Resolver, from_environment},
    request::{self, Request},
    settings::{Settings, Way},
    timeouts::Timeouts,
};

/// Puts a [`Client`] together. The limits and timers of its sessions are set as on a route, by
/// [`Configure`].
///
/// ```
/// use std::time::Duration;
/// use wharf_client::Client;
/// use wharf_sdk::{Configure, observer::Log};
///
/// # fn main() -> wharf_sdk::Result<()> {
/// let client = Client::builder()
///     .bearer("letmein")
///     .offer(["chat.v2", "chat.v1"])
///     .heartbeat(Duration::from_secs(10), Duration::from_secs(5))
///     .max_message_bytes(64 * 1024)
///     .observer(Log)
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a client is made by build(), or connect()"]
#[derive(Default)]
pub struct ClientBuilder {
    policy: Policy,
    headers: HeaderMap,
    observers: Vec<Arc<dyn Observer>>,
    state: Extensions,
    timeouts: Timeouts,
    proxies: Proxies,
    resolver: Option<Arc<Resolver>>,
    redirects: u8,
    way: Way,
    #[cfg(feature = "tls")]
    tls: crate::dial::tls::Tls,
    /// What is wrong with the settings so far.
    problem: Option<Error>,
}

impl Client {
    /// Puts a client together.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }
}

impl ClientBuilder {
    /// Sends a bearer token.
    pub fn bearer(mut self, token: &str) -> Self {
        match request::bearer(token) {
            Ok(value) => drop(self.headers.insert(header::AUTHORIZATION, value)),
            Err(problem) => self.problem = Some(problem),
        }
        self
    }

    /// Adds a header line to every request.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match request::header(name, value) {
            Ok((name, value)) => drop(self.headers.append(name, value)),
            Err(problem) => self.problem = Some(problem),
        }
        self
    }

    /// Offers these subprotocols, best first; the server may choose none.
    /// [`Configure::subprotocols`] with [`Subprotocols::required`] insists on one.
    pub fn offer<I: IntoIterator<Item: Into<String>>>(self, names: I) -> Self {
        self.subprotocols(Subprotocols::optional(names))
    }

    /// Tells this observer of every session, and of every connection that did not become one:
    /// `rejected` has the status that the server answered or, where it answered nothing, the one
    /// that the error stands for.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// A value that handlers of [`Client::run`] take by `State`.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.state.insert(value);
        self
    }

    /// How long each step of connecting may take.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Connects through this proxy.
    pub fn proxy(mut self, proxy: Result<Proxy>) -> Self {
        match proxy {
            Ok(proxy) => self.proxies = Proxies::always(proxy),
            Err(problem) => self.problem = Some(problem),
        }
        self
    }

    /// Connects through the proxies that the environment names: `http_proxy` for `ws`,
    /// `https_proxy` for `wss`, `all_proxy`, and not where `no_proxy` says so. Default: the
    /// environment is not read.
    pub fn proxy_from_environment(mut self) -> Self {
        match from_environment(|name| std::env::var(name).ok()) {
            Ok(proxies) => self.proxies = proxies,
            Err(problem) => self.problem = Some(problem),
        }
        self
    }

    /// Finds the addresses of names in another way than the system's.
    pub fn resolver<F, Fut>(mut self, resolve: F) -> Self
    where
        F: Fn(String, u16) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        self.resolver = Some(Arc::new(move |host, port| resolve(host, port).boxed()));
        self
    }

    /// Follows up to this many redirects of one connection. Default: none. None leads from `wss`
    /// to `ws`. To another origin, none takes what may be a credential: headers of the caller's, the
    /// URL's user, and subprotocols, as which tokens travel; where a subprotocol is required, none
    /// leads there.
    pub fn redirects(mut self, most: u8) -> Self {
        self.redirects = most;
        self
    }

    /// Connects to this Unix socket, whatever host the URL names; proxies are not asked.
    #[cfg(unix)]
    pub fn unix_socket(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.way = Way::Unix(path.into());
        self
    }

    /// Connects to this host in memory, whatever host the URL names. Works under paused time.
    #[cfg(feature = "testing")]
    pub fn in_memory(self, host: wharf_sdk::testing::TestHost) -> Self {
        self.in_memory_when(move || Some(host.clone()))
    }

    /// The same, with the host that there is when a connection is made. Where there is none, it
    /// fails with `WHARF_CONNECT`: so a test takes a server away and brings it back.
    #[cfg(feature = "testing")]
    pub fn in_memory_when(
        mut self,
        host: impl Fn() -> Option<wharf_sdk::testing::TestHost> + Send + Sync + 'static,
    ) -> Self {
        self.way = Way::Memory(Arc::new(host));
        self
    }

    /// Whom to trust over TLS, and who this side is.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::dial::tls::Tls) -> Self {
        self.tls = tls;
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    ///
    /// What is wrong with the settings: `WHARF_CONFIG`, `WHARF_CLIENT_HEADER`, `WHARF_PROXY_URL`.
    pub fn build(self) -> Result<Client> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        Ok(Client::new(Settings {
            limits: Arc::new(self.policy.limits()?),
            headers: self.headers,
            observers: DialObservers::new(self.observers),
            state: Arc::new(self.state),
            timeouts: self.timeouts,
            proxies: self.proxies,
            resolver: self.resolver,
            redirects: self.redirects,
            way: self.way,
            #[cfg(feature = "tls")]
            tls: Arc::new(crate::dial::tls::LazyTls::new(self.tls)),
        }))
    }

    /// Makes the client and connects with it once.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build) and [`Client::connect`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connection.
    pub async fn connect(self, request: impl Into<Request>) -> Result<Socket> {
        self.build()?.connect(request).await
    }
}

impl Configure for ClientBuilder {
    fn policy_mut(&mut self) -> &mut Policy {
        &mut self.policy
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("policy", &self.policy)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}
