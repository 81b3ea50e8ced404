//! How long each step of connecting may take.

use std::time::Duration;

/// How long each step of connecting may take.
///
/// ```
/// use std::time::Duration;
/// use wharf_client::Timeouts;
///
/// let impatient = Timeouts { all: Duration::from_secs(3), ..Timeouts::default() };
/// assert_eq!(impatient.resolve, Duration::from_secs(5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Finding the host's addresses. Default 5 s.
    pub resolve: Duration,
    /// Until one of the addresses takes the connection. Default 10 s.
    pub connect: Duration,
    /// Until a proxy has opened the way. Default 10 s.
    pub proxy: Duration,
    /// The TLS handshake. Default 10 s.
    pub tls: Duration,
    /// From the upgrade request to its answer. Default 10 s.
    pub handshake: Duration,
    /// All of it, redirects included. Default 30 s.
    pub all: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let step = Duration::from_secs(10);
        Self {
            resolve: Duration::from_secs(5),
            connect: step,
            proxy: step,
            tls: step,
            handshake: step,
            all: Duration::from_secs(30),
        }
    }
}
