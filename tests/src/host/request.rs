//! Requests, well-formed and not.

/// An HTTP request, written to the connection line by line as it stands here.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path and query, raw.
    pub target: String,
    /// `1` for HTTP/1.1, `0` for HTTP/1.0.
    pub minor_version: u8,
    /// The header lines, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Bytes that follow the head in the same write: a body, or frames that do not wait for the
    /// 101.
    pub behind: Vec<u8>,
}

/// The key of the RFC's example.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

impl Request {
    /// A plain request.
    pub fn plain(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            minor_version: 1,
            headers: Vec::new(),
            behind: Vec::new(),
        }
        .with("Host", "wharf.test")
    }

    /// A request that opens a WebSocket, faultless.
    pub fn upgrade(target: &str) -> Self {
        Self::plain("GET", target)
            .with("Connection", "Upgrade")
            .with("Upgrade", "websocket")
            .with("Sec-WebSocket-Version", "13")
            .with("Sec-WebSocket-Key", KEY)
    }

    /// Adds a header line.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Removes all lines of a header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    /// Replaces a header.
    #[must_use]
    pub fn replacing(self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.without(name).with(name, value)
    }

    /// Changes the method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = method.to_owned();
        self
    }

    /// Speaks HTTP/1.0.
    #[must_use]
    pub fn http_10(mut self) -> Self {
        self.minor_version = 0;
        self
    }

    /// Sends bytes right behind the head.
    #[must_use]
    pub fn followed_by(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.behind = bytes.into();
        self
    }

    /// The request as it goes over the wire, under this prefix.
    pub(super) fn to_bytes(&self, prefix: &str) -> Vec<u8> {
        let Self {
            method,
            target,
            minor_version,
            ..
        } = self;
        let mut bytes =
            format!("{method} {prefix}{target} HTTP/1.{minor_version}\r\n").into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.behind);
        bytes
    }
}

/// Prints the request as it goes over the wire.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.to_bytes("")))
    }
}
