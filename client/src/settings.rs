//! What a client was told.

use std::sync::Arc;

use http::{Extensions, HeaderMap};
use wharf_sdk::{Limits, driver::DialObservers};

#[cfg(feature = "tls")]
use crate::dial::tls::LazyTls;
use crate::{
    dial::{Proxies, Resolver},
    timeouts::Timeouts,
};

/// What a client was told, and shares with its clones.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) limits: Arc<Limits>,
    pub(crate) headers: HeaderMap,
    pub(crate) observers: DialObservers,
    pub(crate) state: Arc<Extensions>,
    pub(crate) timeouts: Timeouts,
    pub(crate) proxies: Proxies,
    pub(crate) resolver: Option<Arc<Resolver>>,
    pub(crate) redirects: u8,
    pub(crate) way: Way,
    #[cfg(feature = "tls")]
    pub(crate) tls: Arc<LazyTls>,
}

/// Says which host there is now.
#[cfg(feature = "testing")]
pub(crate) type MemoryHosts = dyn Fn() -> Option<wharf_sdk::testing::TestHost> + Send + Sync;

/// How the server is reached.
#[derive(Clone, Default)]
pub(crate) enum Way {
    #[default]
    Network,
    #[cfg(unix)]
    Unix(std::path::PathBuf),
    #[cfg(feature = "testing")]
    Memory(Arc<MemoryHosts>),
}
