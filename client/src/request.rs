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
/// let request = Request::to("wss://example.com/chat").bearer("letmein")?.header("x-tenant", "7")?;
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

    /// Adds a header line.
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
