//! The request as a driver hands it over.

use std::net::{IpAddr, SocketAddr};

use http::{Extensions, HeaderMap, HeaderValue, Method, Uri, Version, header};

use crate::policy::RequestOrigin;

/// An HTTP request that may become a socket, without its body.
///
/// Header lines must be as the client sent them, in its order; the path must be raw, as it was on
/// the request line, less the prefix under which the app is mounted.
#[derive(Debug, Clone)]
pub struct UpgradeRequest {
    /// The method.
    pub method: Method,
    /// The path and query, raw, without the prefix that the app is mounted under.
    pub uri: Uri,
    /// That prefix as a pattern, such as `/ws` or `/{tenant}/ws`; empty where there is none.
    pub mount: String,
    /// The HTTP version.
    pub version: Version,
    /// The header lines.
    pub headers: HeaderMap,
    /// The address at the other end of the connection.
    pub peer: Option<SocketAddr>,
    /// Whether the connection is TLS.
    pub is_secure: bool,
    /// The `:protocol` of an extended CONNECT, which opens sockets over HTTP/2
    /// ([RFC 8441](https://www.rfc-editor.org/rfc/rfc8441)).
    pub protocol: Option<String>,
    /// What the server around the app knows of the request, such as what its layers found out.
    /// Handlers find it as [`Extension`](crate::Extension); a [`Principal`](crate::Principal) is
    /// who connects, unless an authenticator of the app says otherwise.
    pub extensions: Extensions,
}

impl UpgradeRequest {
    /// Whether the connection carries many requests at once: a socket is then opened by an extended
    /// CONNECT, and nothing may be said of the connection as a whole.
    pub(crate) fn is_multiplexed(&self) -> bool {
        self.version >= Version::HTTP_2
    }

    /// Whether this asks for a WebSocket: a line of `Upgrade` is `websocket` and `Connection` has
    /// the token `upgrade`; over HTTP/2, it is a CONNECT whose protocol is `websocket`. HTTP/1.0
    /// has no upgrades.
    ///
    /// A list such as `h2c, websocket` is not taken: frameworks below would not hand over the bytes
    /// that follow such a request.
    pub(crate) fn is_upgrade(&self) -> bool {
        let is_websocket = |line: &HeaderValue| {
            line.as_bytes()
                .trim_ascii()
                .eq_ignore_ascii_case(b"websocket")
        };
        if self.is_multiplexed() {
            return self.method == Method::CONNECT
                && (self.protocol.as_deref())
                    .is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"));
        }
        self.version >= Version::HTTP_11
            && self
                .headers
                .get_all(header::UPGRADE)
                .iter()
                .any(is_websocket)
            && has_token(&self.headers, &header::CONNECTION, "upgrade")
    }

    /// Whether this is a `GET` that asks for server-sent events, and for no socket.
    pub(crate) fn wants_event_stream(&self) -> bool {
        let accepts = |line: &HeaderValue| {
            line.to_str().is_ok_and(|line| {
                line.split(',').any(|entry| {
                    let kind = entry.split(';').next().unwrap_or_default();
                    kind.trim().eq_ignore_ascii_case("text/event-stream")
                })
            })
        };
        self.method == Method::GET
            && !self.is_upgrade()
            && self.headers.get_all(header::ACCEPT).iter().any(accepts)
    }

    /// The URI without the first `segments` of its path: what a driver hands over when the app is
    /// mounted under a prefix. The rest stays as it was on the request line.
    pub fn unprefixed(uri: &Uri, segments: usize) -> Option<Uri> {
        let path = match uri.path().match_indices('/').nth(segments) {
            Some((at, _)) => &uri.path()[at..],
            None => "/",
        };
        match uri.query() {
            Some(query) => format!("{path}?{query}").parse().ok(),
            None => path.parse().ok(),
        }
    }

    /// The origin that the request was sent to, as the client saw it.
    ///
    /// The `Host` header says where, as it does for every browser; an absolute request line is the
    /// client's to choose, scheme and all, and is not asked while there is one.
    pub(crate) fn own_origin(&self, trust: &TrustedProxies, is_tls: bool) -> Option<RequestOrigin> {
        let forwarded = self.forwarded(trust);
        let scheme = match forwarded.scheme {
            Some(scheme) => scheme,
            None if self.is_secure || is_tls => "https",
            None => "http",
        };
        let host = forwarded
            .host
            .or_else(|| single(&self.headers, &header::HOST))
            .or_else(|| Some(self.uri.authority()?.as_str()))?;
        RequestOrigin::new(scheme, host)
    }

    /// Whether the client's own connection is TLS: this one, or the one that a trusted proxy ends.
    pub(crate) fn is_client_secure(&self, trust: &TrustedProxies, is_tls: bool) -> bool {
        match self.forwarded(trust).scheme {
            Some(scheme) => ["https", "wss"]
                .iter()
                .any(|secure| scheme.eq_ignore_ascii_case(secure)),
            None => self.is_secure || is_tls,
        }
    }

    /// The client's address, the forwarded one behind a trusted proxy.
    pub(crate) fn client_address(&self, trust: &TrustedProxies) -> Option<SocketAddr> {
        match (self.peer, self.forwarded(trust).client) {
            (Some(peer), Some(client)) => Some(SocketAddr::new(client, peer.port())),
            (peer, _) => peer,
        }
    }

    fn forwarded(&self, trust: &TrustedProxies) -> Forwarded<'_> {
        if !self.peer.is_some_and(|peer| trust.trusts(peer.ip())) {
            return Forwarded::default();
        }
        Forwarded {
            // The nearest proxy appends; what stands before its entry is the client's claim.
            client: last(&self.headers, "x-forwarded-for").and_then(|text| text.parse().ok()),
            scheme: last(&self.headers, "x-forwarded-proto"),
            host: last(&self.headers, "x-forwarded-host"),
        }
    }
}

/// The proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed.
///
/// ```
/// use wharf_sdk::{App, Context, Route, Socket, TrustedProxies, testing::TestHost};
/// # use wharf_sdk::Result;
///
/// async fn who(context: Context, mut socket: Socket) -> Result<()> {
///     let address = context.peer().map(|peer| peer.ip().to_string());
///     socket.write(address.unwrap_or_default()).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let app = App::builder()
///     .trust_proxies(TrustedProxies::at(["127.0.0.1".parse().expect("an address")]))
///     .route(Route::new("/who", who))
///     .build()?;
/// let host = TestHost::new(app);
///
/// let mut client = host.connect("/who").header("x-forwarded-for", "203.0.113.7").await;
/// client.expect_text("203.0.113.7").await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    addresses: Vec<IpAddr>,
}

impl TrustedProxies {
    /// Believes these addresses. Each must overwrite or append to the forwarding headers.
    pub fn at(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self {
            addresses: addresses.into_iter().collect(),
        }
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        self.addresses.contains(&peer.to_canonical())
    }
}

#[derive(Debug, Default)]
struct Forwarded<'a> {
    client: Option<IpAddr>,
    scheme: Option<&'a str>,
    host: Option<&'a str>,
}

/// The last entry over all lines of a comma-separated header.
fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    line.rsplit(',')
        .next()
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
}

/// The value of a header that comes exactly once.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => line.to_str().ok(),
        _ => None,
    }
}

/// Whether a comma-separated header has this token, in any case.
fn has_token(headers: &HeaderMap, name: &http::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|entry| entry.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_cut_by_segments_and_the_rest_stays_raw() {
        let cut = |uri: &str, segments| {
            let uri = uri.parse().expect("valid");
            UpgradeRequest::unprefixed(&uri, segments)
                .expect("valid")
                .to_string()
        };
        assert_eq!(cut("/api/ws/rooms/%C3%A9?a=%20", 2), "/rooms/%C3%A9?a=%20");
        assert_eq!(cut("/ws//echo", 1), "//echo");
        assert_eq!(cut("/ws", 1), "/");
        assert_eq!(cut("/echo/", 0), "/echo/");
    }
}
