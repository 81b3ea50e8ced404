//! What a server answers instead of a 101.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use wharf_sdk::{Error, ErrorKind};

/// A server's answer that is no 101: the cause of an error with the code `WHARF_CLIENT_REJECTED`.
///
/// Its `Debug` and `Display` show neither headers nor body: they may hold what is not for logs.
///
/// ```
/// # use wharf_sdk::{App, Error, ErrorKind};
/// # use wharf_sdk::testing::TestHost;
/// use wharf_client::{Client, Rejected};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> wharf_sdk::Result<()> {
/// # let client = Client::builder().in_memory(TestHost::new(App::builder().build()?)).build()?;
/// let error = client.connect("ws://test.example/nowhere").await.expect_err("no such route");
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// let rejected = Rejected::of(&error).expect("an answer");
/// assert_eq!(rejected.status(), 404);
/// assert_eq!(rejected.retry_after(), None);
/// # Ok(())
/// # }
/// ```
pub struct Rejected {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Rejected {
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self {
            status,
            headers,
            body,
        }
    }

    /// The answer that this error tells of.
    pub fn of(error: &Error) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The header lines.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body, or as much of it as came in time and is kept: at most 64 KiB.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// How long the server asks to be left alone; a date counts from now.
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
        match value.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => {
                let at = httpdate::parse_http_date(value).ok()?;
                let now = std::time::SystemTime::now();
                Some(at.duration_since(now).unwrap_or_default())
            }
        }
    }

    /// Where a redirect leads.
    pub(crate) fn location(&self) -> Option<&str> {
        if !matches!(self.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        self.headers.get(header::LOCATION)?.to_str().ok()
    }

    pub(crate) fn into_error(self) -> Error {
        let status = self.status;
        let message = format!(
            "the server answered {} instead of opening a WebSocket{}",
            status.as_u16(),
            match status.as_u16() {
                300..=399 => "; it leads elsewhere: connect there, or allow redirects",
                401 | 403 => "; check the credentials",
                404 => "; check the path",
                407 => "; the proxy wants credentials: give them in its URL",
                408 | 425 | 429 | 500..600 => "; try again later",
                _ => "; see the answer for why",
            }
        );
        let kind = if status.is_client_error() || status.is_server_error() {
            Error::reject(status, "").kind()
        } else {
            ErrorKind::Protocol
        };
        Error::new(kind, "WHARF_CLIENT_REJECTED", message)
            .with_status(status)
            .with_source(self)
    }
}

impl fmt::Debug for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected")
            .field("status", &self.status)
            .field("headers", &self.headers.len())
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP status {}", self.status)
    }
}

impl std::error::Error for Rejected {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let after = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, value.parse().expect("valid"));
            Rejected::new(StatusCode::SERVICE_UNAVAILABLE, headers, Bytes::new()).retry_after()
        };
        assert_eq!(after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert!(after("Sat, 06 Nov 2094 08:49:37 GMT") > Some(Duration::from_secs(1 << 30)));
        assert_eq!(after("soon"), None);
    }

    #[test]
    fn headers_and_body_are_not_shown() {
        let mut headers = HeaderMap::new();
        headers.insert("set-cookie", "session=secret".parse().expect("valid"));
        let rejected = Rejected::new(StatusCode::FORBIDDEN, headers, "secret".into());
        let error = rejected.into_error();
        assert!(!format!("{error:?} {error}").contains("secret"));
        assert_eq!(error.kind(), ErrorKind::Forbidden);
    }
}
