//! One connection to ask for.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use wharf_sdk::{Error, ErrorKind, Result};

/// Where to connect, and with which headers: what may differ from one connection to the next.
///
/// A string is one without headers. Its `Debug` shows neither the headers' values nor the URL's
/// query and user.
///
/// ```
/// use wharf_client::Request;
///
/// let request = Request::to("wss://example.com/chat")
///     .query("room", "the lobby")
///     .bearer("letmein")?
///     .cookie("theme", "dark")?
///     .header("x-api-key", "7")?;
/// # Ok::<(), wharf_sdk::Error>(())
/// ```
#[derive(Clone)]
pub struct Request {
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
}

impl Request {
    /// A connection to this URL.
    pub fn to(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: HeaderMap::new(),
        }
    }

    /// Sends a bearer token.
    ///
    /// # Errors
    ///
    /// `WHARF_CLIENT_HEADER` for what cannot stand in a header.
    pub fn bearer(mut self, token: &str) -> Result<Self> {
        self.headers.insert(header::AUTHORIZATION, bearer(token)?);
        Ok(self)
    }

    /// Adds a parameter to the URL's query, encoded. What is in the query may end up in logs of
    /// servers: a header is the better place for a key.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.url = crate::target::and_parameter(&self.url, name, value);
        self
    }

    /// Sends a cookie, behind those that were added before.
    ///
    /// # Errors
    ///
    /// `WHARF_CLIENT_HEADER` for a name or value that no cookie has: white space, quotes, commas,
    /// semicolons, and what is not ASCII.
    pub fn cookie(mut self, name: &str, value: &str) -> Result<Self> {
        let is_token =
            |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte);
        let is_value = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) || !value.bytes().all(is_value) {
            return Err(invalid());
        }
        let before = self.headers.get(header::COOKIE);
        let line = match before.and_then(|line| line.to_str().ok()) {
            Some(before) => format!("{before}; {name}={value}"),
            None => format!("{name}={value}"),
        };
        let mut line = HeaderValue::try_from(line).map_err(|_| invalid())?;
        line.set_sensitive(true);
        self.headers.insert(header::COOKIE, line);
        Ok(self)
    }

    /// Adds a header line, such as an API key.
    ///
    /// # Errors
    ///
    /// `WHARF_CLIENT_HEADER` for what is no header.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self> {
        let (name, value) = header(name, value)?;
        self.headers.append(name, value);
        Ok(self)
    }
}

impl<T: Into<String>> From<T> for Request {
    fn from(url: T) -> Self {
        Self::to(url)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = crate::target::Target::parse(&self.url).map(|target| target.name());
        f.debug_struct("Request")
            .field("to", &host.as_deref().unwrap_or("an invalid URL"))
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish()
    }
}

pub(crate) fn bearer(token: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| invalid())?;
    value.set_sensitive(true);
    Ok(value)
}

pub(crate) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue)> {
    match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        _ => Err(invalid()),
    }
}

fn invalid() -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "WHARF_CLIENT_HEADER",
        "a header's name or value has characters that it cannot have",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_share_a_line_and_are_not_shown() {
        let request = Request::to("ws://a/?x=1")
            .cookie("session", "secret")
            .and_then(|request| request.cookie("theme", "dark"))
            .expect("cookies")
            .query("q", "a b&c");
        assert_eq!(request.headers["cookie"], "session=secret; theme=dark");
        assert_eq!(request.url, "ws://a/?x=1&q=a+b%26c");
        assert!(!format!("{request:?}").contains("secret"));
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("a", "x; y"),
            ("a", "\r\n"),
            ("a=", "x"),
        ] {
            let error = Request::to("ws://a").cookie(name, value).expect_err(name);
            assert_eq!(error.code(), "WHARF_CLIENT_HEADER");
        }
    }
}
