//! How a bus is set up.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::names::BUCKETS;

/// A bus before it is connected.
#[derive(Clone)]
#[must_use = "call connect()"]
pub struct Builder {
    pub(crate) url: Arc<str>,
    pub(crate) prefix: String,
    pub(crate) credentials: Option<PathBuf>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) timeout: Duration,
    pub(crate) retry_within: Duration,
    pub(crate) replicas: usize,
    pub(crate) max_subscriptions: usize,
}

impl Builder {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.into(),
            prefix: "wharf".to_owned(),
            credentials: None,
            ca_file: None,
            timeout: Duration::from_secs(2),
            retry_within: Duration::from_secs(5),
            replicas: 1,
            max_subscriptions: 4 * usize::from(BUCKETS),
        }
    }

    /// What every subject and stream begins with: apps that share a server need different ones.
    /// Default: `wharf`.
    pub fn prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// Connects with the credentials in this file.
    pub fn credentials_file(mut self, path: impl AsRef<Path>) -> Self {
        self.credentials = Some(path.as_ref().to_owned());
        self
    }

    /// Trusts the certificates in this file, PEM, over `tls://`, besides the system's.
    pub fn ca_file(mut self, path: impl AsRef<Path>) -> Self {
        self.ca_file = Some(path.as_ref().to_owned());
        self
    }

    /// How long the server may take to answer before it counts as away. Default: 2 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The longest pause between two attempts to connect again. Default: 5 s. It begins with a
    /// tenth of a second, doubles, and is shortened at random, so that nodes do not come at once.
    pub fn retry_within(mut self, pause: Duration) -> Self {
        self.retry_within = pause;
        self
    }

    /// On how many servers of a cluster histories are kept. Default: 1.
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// How many subscriptions this node has at the most, of which each takes six kilobytes of its
    /// memory. Default: 4,096; up to 1,024 there are in any case.
    ///
    /// Rooms beyond that share them, by their names' hashes: the node then hears messages of rooms
    /// with nobody here, too, and passes them over, which costs the server and the network what those
    /// rooms say. Where there is memory for all rooms and traffic is dear, set it to many.
    pub fn max_subscriptions(mut self, subscriptions: usize) -> Self {
        self.max_subscriptions = subscriptions;
        self
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("retry_within", &self.retry_within)
            .finish_non_exhaustive()
    }
}
