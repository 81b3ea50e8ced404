//! A request in the making.

use std::{
    future::{Future, IntoFuture},
    net::SocketAddr,
    pin::Pin,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, Version, header,
};

use super::{
    client::TestSocket,
    host::{Answer, TestHost},
};
use crate::{
    policy::Compression,
    request::{Principal, UpgradeRequest},
};

impl TestHost {
    /// Prepares a connection to a path, such as `/chat?room=1`. Once it is made, the handler has
    /// run until it first waited.
    pub fn connect(&self, path: &str) -> Connect {
        Connect::upgrade(self.clone(), path)
    }

    /// Prepares a plain HTTP request to a path.
    pub fn http(&self, method: Method, path: &str) -> Connect {
        Connect::plain(self.clone(), method, path)
    }
}

/// A connection or request that is being prepared; await it to make it.
///
/// ```
/// use wharf_sdk::{App, Route, Socket, http::{Method, StatusCode}, response, testing::TestHost};
/// # use wharf_sdk::Result;
/// # async fn echo(mut socket: Socket) -> Result<()> {
/// #     while let Some(message) = socket.read().await? {
/// #         socket.write(message).await?;
/// #     }
/// #     Ok(())
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let route = Route::new("/echo", echo)
///     .fallback(async |_| response::text(StatusCode::OK, "a WebSocket lives here"));
/// let host = TestHost::new(App::builder().route(route).build()?);
///
/// let client = host.connect("/echo").origin("http://test.example").bearer("letmein").await;
/// let with_key = host.connect("/echo").query("room", "the lobby").cookie("session", "letmein").await;
/// # drop(with_key);
/// assert_eq!(client.response().status(), 101);
///
/// let rejected = host.connect("/echo").origin("https://evil.example").expect_rejected(403).await;
/// assert_eq!(rejected.code().as_deref(), Some("WHARF_ORIGIN_DENIED"));
///
/// let answer = host.http(Method::GET, "/echo").send().await;
/// assert_eq!(&answer.body()[..], b"a WebSocket lives here");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "await it, or call expect_rejected or send"]
pub struct Connect {
    host: TestHost,
    request: UpgradeRequest,
    answers_pings: bool,
    compression: Option<Compression>,
}

/// A response in place of a socket.
#[derive(Debug)]
pub struct Rejected {
    /// The response.
    pub response: Response<Bytes>,
}

impl Connect {
    pub(super) fn upgrade(host: TestHost, path: &str) -> Self {
        let mut connect = Self::plain(host, Method::GET, path);
        for (name, value) in [
            (header::CONNECTION, "Upgrade"),
            (header::UPGRADE, "websocket"),
            (header::SEC_WEBSOCKET_VERSION, "13"),
            (header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            connect
                .request
                .headers
                .insert(name, HeaderValue::from_static(value));
        }
        connect
    }

    pub(super) fn plain(host: TestHost, method: Method, path: &str) -> Self {
        let uri: Uri = match path.parse() {
            Ok(uri) => uri,
            Err(error) => panic!("{path:?} is not a path: {error}"),
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("test.example"));
        Self {
            host,
            request: UpgradeRequest {
                method,
                uri,
                mount: String::new(),
                version: Version::HTTP_11,
                headers,
                peer: Some(SocketAddr::from(([127, 0, 0, 1], 50_000))),
                is_secure: false,
                protocol: None,
                extensions: http::Extensions::new(),
            },
            answers_pings: true,
            compression: None,
        }
    }

    /// Adds a header line.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                self.request.headers.append(name, value);
            }
            _ => panic!("{name:?} is not a header name, or its value is not a header value"),
        }
        self
    }

    /// Sends a cookie, behind those that were added before.
    pub fn cookie(mut self, name: &str, value: &str) -> Self {
        let before = self.request.headers.remove(header::COOKIE);
        let line = match before.as_ref().and_then(|line| line.to_str().ok()) {
            Some(before) => format!("{before}; {name}={value}"),
            None => format!("{name}={value}"),
        };
        self.header("cookie", &line)
    }

    /// Adds a parameter to the query, encoded.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        let encoded = serde_urlencoded::to_string([(name, value)]).unwrap_or_default();
        let uri = &self.request.uri;
        let target = match uri.query() {
            Some(query) if !query.is_empty() => format!("{}?{query}&{encoded}", uri.path()),
            _ => format!("{}?{encoded}", uri.path()),
        };
        match target.parse() {
            Ok(uri) => self.request.uri = uri,
            Err(error) => panic!("{target:?} is not a path: {error}"),
        }
        self
    }

    /// Connects as a page of this origin.
    pub fn origin(self, origin: &str) -> Self {
        self.header("origin", origin)
    }

    /// Offers subprotocols.
    pub fn protocols<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<_> = names.into_iter().collect();
        self.header("sec-websocket-protocol", &names.join(", "))
    }

    /// Offers compression, and compresses what is sent if the host agrees.
    ///
    /// ```
    /// # use wharf_sdk::{App, Compression, Configure, Result, Route, Socket, testing::TestHost};
    /// # async fn feed(mut socket: Socket) -> Result<()> {
    /// #     socket.write("row, ".repeat(1000)).await
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let route = Route::new("/feed", feed).compression(Compression::new());
    /// let host = TestHost::new(App::builder().route(route).build()?);
    /// let mut client = host.connect("/feed").compression(Compression::new()).await;
    /// assert!(client.is_compressing());
    /// client.expect_text(&"row, ".repeat(1000)).await;
    /// assert!(client.was_compressed());
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "deflate")]
    pub fn compression(mut self, compression: Compression) -> Self {
        let offer = compression.offer();
        self.compression = Some(compression);
        self.request
            .headers
            .append(header::SEC_WEBSOCKET_EXTENSIONS, offer);
        self
    }

    /// Sends a bearer token.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Connects as this principal, whatever the app's authenticators would say.
    ///
    /// ```
    /// # use wharf_sdk::{App, Principal, Result, Route, Socket, middleware::bearer, testing::TestHost};
    /// # async fn hello(principal: Principal, mut socket: Socket) -> Result<()> {
    /// #     socket.write(format!("hello {}", principal.id)).await
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let auth = bearer(async |_| Ok(None));
    /// let route = Route::new("/hello", hello).middleware(auth).require_scopes(["chat"]);
    /// let host = TestHost::new(App::builder().route(route).build()?);
    /// let alice = Principal::new("alice").with_scopes(["chat"]);
    /// host.connect("/hello").principal(alice).await.expect_text("hello alice").await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn principal(mut self, principal: Principal) -> Self {
        self.request.extensions.insert(principal);
        self
    }

    /// Connects from this address.
    pub fn peer(mut self, peer: SocketAddr) -> Self {
        self.request.peer = Some(peer);
        self
    }

    /// Connects over TLS, as far as the app can tell.
    pub fn secure(mut self) -> Self {
        self.request.is_secure = true;
        self
    }

    /// Makes a client that answers no pings, like a peer that hangs.
    pub fn without_pongs(mut self) -> Self {
        self.answers_pings = false;
        self
    }

    /// Sends the request and returns the response, whatever it is.
    ///
    /// # Panics
    ///
    /// If the host upgrades.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the request.
    pub async fn send(self) -> Response<Bytes> {
        match self.host.request(self.request).await {
            Answer::Rejected(response) => response,
            Answer::Upgraded(..) => panic!("expected a response, but the host upgraded"),
        }
    }

    /// Sends the request and checks that it is answered with this status.
    ///
    /// # Panics
    ///
    /// If the host upgrades or answers with another status.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the request.
    pub async fn expect_rejected(self, status: u16) -> Rejected {
        let response = self.send().await;
        assert_eq!(
            response.status().as_u16(),
            status,
            "expected a rejection with {status}, but got {} with the body {}",
            response.status(),
            String::from_utf8_lossy(response.body()),
        );
        Rejected { response }
    }

    async fn open(self) -> TestSocket {
        let path = self.request.uri.to_string();
        match self.host.request(self.request).await {
            Answer::Upgraded(response, stream) => {
                let agreed = match &self.compression {
                    Some(compression) => compression.accept(response.headers()),
                    None => Ok(None),
                };
                let agreed = agreed
                    .unwrap_or_else(|error| panic!("the host answered the offer wrongly: {error}"));
                TestSocket::new(stream, response, self.answers_pings).with_deflate(agreed.as_ref())
            }
            Answer::Rejected(response) => panic!(
                "expected a socket at {path}, but got {} with the body {}",
                response.status(),
                String::from_utf8_lossy(response.body()),
            ),
        }
    }
}

/// Connects.
///
/// # Panics
///
/// If the host refuses the upgrade.
///
/// # Cancel safety
///
/// Dropping the future cancels the request.
impl IntoFuture for Connect {
    type Output = TestSocket;
    type IntoFuture = Pin<Box<dyn Future<Output = TestSocket> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}

impl Rejected {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// A header's first value, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The `code` of the problem document.
    pub fn code(&self) -> Option<String> {
        let problem: serde_json::Value = serde_json::from_slice(self.response.body()).ok()?;
        Some(problem.get("code")?.as_str()?.to_owned())
    }
}
