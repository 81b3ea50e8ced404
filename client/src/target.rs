//! Where to connect: a URL, taken apart and checked before any packet.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use url::{Host, Url};
use wharf_sdk::{Error, ErrorKind, Result};

/// A checked URL.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    url: Url,
    pub(crate) is_secure: bool,
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
    /// The `Host` header.
    pub(crate) authority: HeaderValue,
    pub(crate) path_and_query: Uri,
    /// The URL's user and password.
    pub(crate) basic: Option<HeaderValue>,
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let url = Url::parse(url).map_err(|cause| {
            invalid("the address is not a URL; write it like wss://example.com/chat")
                .with_source(cause)
        })?;
        Self::new(url)
    }

    /// Where a redirect leads. `http` and `https` mean `ws` and `wss` there.
    pub(crate) fn join(&self, location: &str) -> Result<Self> {
        let mut url = self.url.join(location).map_err(|cause| {
            invalid("the server redirects to something that is not a URL").with_source(cause)
        })?;
        let scheme = match url.scheme() {
            "http" => "ws",
            "https" => "wss",
            _ => return Self::new(url),
        };
        // Between special schemes this is always allowed.
        let _ = url.set_scheme(scheme);
        Self::new(url)
    }

    fn new(url: Url) -> Result<Self> {
        let is_secure = match url.scheme() {
            "ws" => false,
            "wss" => true,
            other => {
                return Err(invalid(format!(
                    "the address begins with {other}:, use ws: or wss:"
                )));
            }
        };
        if url.fragment().is_some() {
            return Err(invalid(
                "the address has a fragment (#…), which servers never see; take it away",
            ));
        }
        let host = match url.host() {
            Some(host) => host.to_owned(),
            None => return Err(invalid("the address names no host")),
        };
        let port = url.port_or_known_default().unwrap_or_default();
        if port == 0 {
            return Err(invalid("port 0 cannot be connected to; name another"));
        }
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let path_and_query = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok(Self {
            is_secure,
            port,
            authority: HeaderValue::try_from(authority)
                .map_err(|cause| invalid("the host is no header value").with_source(cause))?,
            path_and_query: path_and_query
                .parse()
                .map_err(|cause| invalid("the path cannot be requested").with_source(cause))?,
            basic: basic(&url)?,
            host,
            url,
        })
    }

    /// As observers and logs see it: without the query and the credentials.
    pub(crate) fn name(&self) -> String {
        let authority = self.authority.to_str().unwrap_or_default();
        format!("{}://{authority}{}", self.url.scheme(), self.url.path())
    }

    pub(crate) fn has_origin_of(&self, other: &Self) -> bool {
        let origin = |target: &Self| (target.is_secure, target.host.clone(), target.port);
        origin(self) == origin(other)
    }
}

/// The URL with this parameter of the query, in place of those of its name; the others stay as they
/// are. What is no URL stays so, too, and is refused where it is used.
pub(crate) fn with_parameter(url: &str, name: &str, value: &str) -> String {
    let Ok(mut url) = Url::parse(url) else {
        return url.to_owned();
    };
    let is_other = |part: &&str| part.split('=').next() != Some(name);
    let parts = url.query().unwrap_or_default().split('&');
    let mut query: Vec<&str> = parts
        .filter(|part| !part.is_empty())
        .filter(is_other)
        .collect();
    let added = parameter(name, value);
    query.push(&added);
    let query = query.join("&");
    url.set_query(Some(&query));
    url.into()
}

/// The URL with this parameter behind those that it has. What is no URL stays so.
pub(crate) fn and_parameter(url: &str, name: &str, value: &str) -> String {
    let Ok(mut url) = Url::parse(url) else {
        return url.to_owned();
    };
    let added = parameter(name, value);
    let query = match url.query() {
        Some(query) if !query.is_empty() => format!("{query}&{added}"),
        _ => added,
    };
    url.set_query(Some(&query));
    url.into()
}

fn parameter(name: &str, value: &str) -> String {
    let encode =
        |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    format!("{}={}", encode(name), encode(value))
}

/// User and password as `Authorization` ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)).
fn basic(url: &Url) -> Result<Option<HeaderValue>> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let user: Vec<u8> = percent_decode_str(url.username()).collect();
    if user.contains(&b':') {
        return Err(invalid("a user's name cannot contain a colon"));
    }
    let password: Vec<u8> = percent_decode_str(url.password().unwrap_or_default()).collect();
    Ok(Some(basic_header(&user, &password)))
}

pub(crate) fn basic_header(user: &[u8], password: &[u8]) -> HeaderValue {
    let credentials = STANDARD.encode([user, b":", password].concat());
    // Base64 is always a header value.
    let mut value = HeaderValue::try_from(format!("Basic {credentials}"))
        .unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidInput, "WHARF_URL", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Target {
        Target::parse(url).expect("valid")
    }

    #[test]
    fn hosts_ports_and_paths_are_taken_apart() {
        for (url, authority, port, path) in [
            ("ws://example.com", "example.com", 80, "/"),
            (
                "wss://example.com/chat?room=1",
                "example.com",
                443,
                "/chat?room=1",
            ),
            ("wss://example.com:443/", "example.com", 443, "/"),
            (
                "ws://127.0.0.1:9001/a%20b",
                "127.0.0.1:9001",
                9001,
                "/a%20b",
            ),
            ("ws://[::1]:8080/é", "[::1]:8080", 8080, "/%C3%A9"),
            ("ws://bücher.example/", "xn--bcher-kva.example", 80, "/"),
            ("WS://EXAMPLE.com", "example.com", 80, "/"),
        ] {
            let target = parse(url);
            assert_eq!(target.authority, authority, "{url}");
            assert_eq!(target.port, port, "{url}");
            assert_eq!(target.path_and_query.to_string(), path, "{url}");
        }
    }

    #[test]
    fn users_become_basic_and_are_in_no_name() {
        let target = parse("wss://al%40ice:p%3Ass@example.com/chat?token=secret");
        let basic = target.basic.clone().expect("credentials");
        assert_eq!(basic, format!("Basic {}", STANDARD.encode("al@ice:p:ss")));
        assert!(basic.is_sensitive());
        assert_eq!(target.name(), "wss://example.com/chat");
    }

    #[test]
    fn what_cannot_be_connected_to_is_refused() {
        for url in [
            "",
            "/chat",
            "example.com",
            "http://example.com",
            "ws://",
            "ws://example.com/#",
            "ws://example.com/chat#top",
            "ws://example.com:0",
            "ws://example.com:65536",
            "ws://[::1",
            "ws://a b/",
            "ws://us%3Aer:pass@example.com/",
        ] {
            let error = Target::parse(url).expect_err(url);
            assert_eq!(error.code(), "WHARF_URL", "{url}");
        }
    }

    #[test]
    fn redirects_are_resolved() {
        let target = parse("wss://example.com/a/b");
        assert_eq!(
            target.join("../c").expect("valid").name(),
            "wss://example.com/c"
        );
        let other = target.join("https://other.example/").expect("valid");
        assert!(other.is_secure && !other.has_origin_of(&target));
        assert!(target.join("ftp://example.com/").is_err());
    }

    #[test]
    fn a_parameter_takes_the_place_of_its_namesake() {
        let with = |url| with_parameter(url, "since", "1:3");
        assert_eq!(
            with("ws://a/?name=x&flag&since=1:2"),
            "ws://a/?name=x&flag&since=1%3A3"
        );
        assert_eq!(with("ws://a"), "ws://a/?since=1%3A3");
        assert_eq!(with("not a URL"), "not a URL");
    }
}
