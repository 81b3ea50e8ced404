//! How connections are served, whatever they speak.

use std::{fmt, time::Duration};

#[cfg(feature = "http2")]
use wharf_sdk::App;
#[cfg(feature = "tls")]
use wharf_sdk::driver::tokio_rustls::TlsAcceptor;

use crate::served::Served;

/// The names of protocols in ALPN.
#[cfg(feature = "tls")]
pub(crate) const HTTP_1: &[u8] = b"http/1.1";
#[cfg(feature = "http2")]
pub(crate) const HTTP_2: &[u8] = b"h2";

/// How connections are served.
pub(crate) struct Settings {
    /// Whose shutdown begins with GOAWAY.
    #[cfg(feature = "http2")]
    pub(crate) app: App,
    pub(crate) served: Served,
    pub(crate) head_timeout: Duration,
    pub(crate) write_timeout: Duration,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<TlsAcceptor>,
    #[cfg(feature = "http2")]
    pub(crate) http2: bool,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("head_timeout", &self.head_timeout)
            .field("write_timeout", &self.write_timeout)
            .finish_non_exhaustive()
    }
}
