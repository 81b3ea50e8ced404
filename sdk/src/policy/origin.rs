//! Which pages may connect: a browser sends `Origin`, and cookies with it, to any server.

use std::fmt;

use http::{HeaderMap, header};

use crate::message::{Error, ErrorKind, Result};

/// Which origins may connect. The default is [`OriginPolicy::same_origin`].
///
/// ```
/// use wharf_sdk::{Configure, OriginPolicy, Route};
/// # use wharf_sdk::{App, Result, Socket, testing::TestHost};
/// # async fn echo(mut socket: Socket) -> Result<()> {
/// #     while let Some(message) = socket.read().await? {
/// #         socket.write(message).await?;
/// #     }
/// #     Ok(())
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let policy = OriginPolicy::list(["https://shop.example", "https://*.shop.example"])?;
/// let route = Route::new("/cart", echo).origins(policy);
/// # let host = TestHost::new(App::builder().route(route).build()?);
///
/// host.connect("/cart").origin("https://eu.shop.example").await;
/// let rejected = host.connect("/cart").origin("https://evil.example").expect_rejected(403).await;
/// assert_eq!(rejected.code().as_deref(), Some("WHARF_ORIGIN_DENIED"));
/// host.connect("/cart").await; // no origin: no browser
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OriginPolicy {
    allowed: Allowed,
    requires_origin: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
enum Allowed {
    SameOrigin,
    SameOriginAnd(Vec<OriginPattern>),
    List(Vec<OriginPattern>),
    Any,
}

impl Default for OriginPolicy {
    fn default() -> Self {
        Self::same_origin()
    }
}

impl OriginPolicy {
    /// Allows pages of the server itself: the same scheme, host and port as the request.
    pub fn same_origin() -> Self {
        Self {
            allowed: Allowed::SameOrigin,
            requires_origin: false,
        }
    }

    /// Allows these origins, such as `https://app.example` or `https://*.app.example`, and no
    /// other, not even the server's own: for that, begin with [`same_origin`](Self::same_origin)
    /// and add them with [`and`](Self::and).
    ///
    /// # Errors
    ///
    /// `WHARF_CONFIG` for one that is no origin.
    pub fn list<'a>(origins: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let origins = origins.into_iter().map(OriginPattern::parse);
        Ok(Self {
            allowed: Allowed::List(origins.collect::<Result<_>>()?),
            requires_origin: false,
        })
    }

    /// Allows these origins as well: `OriginPolicy::same_origin().and(["https://app.example"])`.
    ///
    /// # Errors
    ///
    /// `WHARF_CONFIG` for one that is no origin.
    pub fn and<'a>(mut self, origins: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let origins = origins.into_iter().map(OriginPattern::parse);
        let mut more = origins.collect::<Result<Vec<_>>>()?;
        match &mut self.allowed {
            Allowed::SameOrigin => self.allowed = Allowed::SameOriginAnd(more),
            Allowed::SameOriginAnd(list) | Allowed::List(list) => list.append(&mut more),
            Allowed::Any => {}
        }
        Ok(self)
    }

    /// Allows every page of the web to connect with its visitors' cookies. Only for endpoints
    /// that no cookie, client certificate or network position gives any right.
    pub fn dangerously_allow_any_origin() -> Self {
        Self {
            allowed: Allowed::Any,
            requires_origin: false,
        }
    }

    /// Refuses requests without an `Origin`, which native clients do not send. Allowed otherwise.
    #[must_use]
    pub fn require_origin(mut self) -> Self {
        self.requires_origin = true;
        self
    }

    /// Checks the request's `Origin` against the origin that the request was sent to.
    pub(crate) fn check(&self, headers: &HeaderMap, own: Option<&RequestOrigin>) -> Result<()> {
        let mut lines = headers.get_all(header::ORIGIN).iter();
        let Some(line) = lines.next() else {
            return if self.requires_origin {
                Err(denied(
                    "this endpoint requires an Origin header; connect from a page",
                ))
            } else {
                Ok(())
            };
        };
        if lines.next().is_some() {
            return Err(denied("the request has several Origin headers; send one"));
        }
        let origin = line.to_str().ok().and_then(RequestOrigin::parse);
        let is_allowed = match (&self.allowed, origin) {
            (Allowed::Any, _) => true,
            (_, None) => false,
            (Allowed::SameOrigin, Some(origin)) => own == Some(&origin),
            (Allowed::SameOriginAnd(list), Some(origin)) => {
                own == Some(&origin) || list.iter().any(|item| item.matches(&origin))
            }
            (Allowed::List(list), Some(origin)) => list.iter().any(|item| item.matches(&origin)),
        };
        if is_allowed {
            return Ok(());
        }
        let came: String = String::from_utf8_lossy(line.as_bytes())
            .chars()
            .take(LONGEST_IN_LOGS)
            .collect();
        let expected = self.expected(own);
        tracing::debug!(origin = came, expected, "a page's origin was denied");
        Err(
            denied("pages of this origin may not connect here; ask for it to be allowed")
                .with_context("origin", came)
                .with_context("expected", expected),
        )
    }

    /// What would have been allowed, for logs.
    fn expected(&self, own: Option<&RequestOrigin>) -> String {
        let own = || own.map_or_else(|| "no origin: the request has no Host".into(), display);
        let list = |list: &[OriginPattern]| {
            let list: Vec<_> = list.iter().map(ToString::to_string).collect();
            list.join(", ")
        };
        match &self.allowed {
            Allowed::SameOrigin => own(),
            Allowed::SameOriginAnd(more) => format!("{}, {}", own(), list(more)),
            Allowed::List(origins) => list(origins),
            Allowed::Any => "any".into(),
        }
    }
}

/// Headers are the client's to fill.
const LONGEST_IN_LOGS: usize = 200;

fn display(origin: &RequestOrigin) -> String {
    let RequestOrigin { scheme, host, port } = origin;
    format!("{scheme}://{host}:{port}")
}

fn denied(message: &'static str) -> Error {
    Error::new(ErrorKind::Forbidden, "WHARF_ORIGIN_DENIED", message)
}

/// One entry of an origin list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginPattern {
    origin: RequestOrigin,
    any_subdomain: bool,
}

impl OriginPattern {
    /// Parses `scheme://host[:port]`, where the host may begin with `*.` for any subdomain (the
    /// domain itself is not one).
    ///
    /// # Errors
    ///
    /// `WHARF_CONFIG` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = || {
            Error::config(format!(
                "{text:?} is not an origin; write scheme://host or scheme://host:port, with *. \
                 before the host for its subdomains"
            ))
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(invalid)?;
        let (any_subdomain, host) = match rest.strip_prefix("*.") {
            Some(host) => (true, host),
            None => (false, rest),
        };
        let origin = RequestOrigin::parse(&format!("{scheme}://{host}")).ok_or_else(invalid)?;
        if origin.host.contains('*') {
            return Err(invalid());
        }
        Ok(Self {
            origin,
            any_subdomain,
        })
    }

    fn matches(&self, origin: &RequestOrigin) -> bool {
        let host_matches = if self.any_subdomain {
            origin
                .host
                .strip_suffix(&self.origin.host)
                .is_some_and(|sub| sub.len() > 1 && sub.ends_with('.'))
        } else {
            origin.host == self.origin.host
        };
        host_matches && origin.scheme == self.origin.scheme && origin.port == self.origin.port
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RequestOrigin { scheme, host, port } = &self.origin;
        let wildcard = if self.any_subdomain { "*." } else { "" };
        write!(f, "{scheme}://{wildcard}{host}:{port}")
    }
}

impl serde::Serialize for OriginPattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Scheme, host and port, as two origins are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestOrigin {
    scheme: String,
    host: String,
    port: u16,
}

impl RequestOrigin {
    /// Parses an `Origin` header's value; `null` and anything with a path is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        Self::new(scheme, authority)
    }

    /// The origin of a request that came over `scheme` with this `Host`.
    pub(crate) fn new(scheme: &str, authority: &str) -> Option<Self> {
        let scheme = scheme.to_ascii_lowercase();
        let (host, port) = split_port(authority)?;
        let port = match (port, &*scheme) {
            (Some(port), _) => port,
            (None, "http" | "ws") => 80,
            (None, "https" | "wss") => 443,
            _ => return None,
        };
        let literal = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let name = literal.unwrap_or(host);
        let is_name = |byte: u8| byte.is_ascii_graphic() && !b"/?#@\\[]".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_name) {
            return None;
        }
        Some(Self {
            scheme,
            host: host.to_ascii_lowercase(),
            port,
        })
    }
}

/// Splits `host[:port]`; an IPv6 host stays in its brackets.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let host_end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, rest) = authority.split_at(host_end);
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Some((host, None)),
        None => None,
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some((host, Some(port.parse().ok()?)))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(policy: &OriginPolicy, origin: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        let own = RequestOrigin::new("http", "Shop.example:8080");
        policy.check(&headers, own.as_ref()).is_ok()
    }

    #[test]
    fn same_origin_compares_scheme_host_and_port() {
        let policy = OriginPolicy::same_origin();
        assert!(check(&policy, "http://shop.example:8080"));
        assert!(check(&policy, "http://SHOP.example:8080"));
        for other in [
            "https://shop.example:8080",
            "http://shop.example",
            "http://shop.example.evil:8080",
            "http://evil@shop.example:8080",
            "null",
            "",
        ] {
            assert!(!check(&policy, other), "{other}");
        }
    }

    #[test]
    fn default_ports_are_the_schemes() {
        let own = RequestOrigin::new("https", "a.example").expect("valid");
        assert_eq!(RequestOrigin::parse("https://a.example:443"), Some(own));
        assert_eq!(
            RequestOrigin::parse("http://[::1]:80"),
            RequestOrigin::new("http", "[::1]")
        );
    }

    #[test]
    fn a_wildcard_means_subdomains_only() {
        let policy = OriginPolicy::list(["https://*.app.example"]).expect("valid");
        assert!(check(&policy, "https://eu.app.example"));
        for other in [
            "https://app.example",
            "https://evilapp.example",
            "https://.app.example",
            "https://[eu.app.example",
            "https://x]y.app.example",
        ] {
            assert!(!check(&policy, other), "{other}");
        }
    }

    #[test]
    fn lists_refuse_what_is_no_origin() {
        for text in [
            "app.example",
            "https://app.example/",
            "https://a*.example",
            "*",
            "https://",
        ] {
            assert!(OriginPolicy::list([text]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_missing_origin_is_allowed_unless_required() {
        let headers = HeaderMap::new();
        assert!(OriginPolicy::same_origin().check(&headers, None).is_ok());
        assert!(
            OriginPolicy::same_origin()
                .require_origin()
                .check(&headers, None)
                .is_err()
        );
    }
}
