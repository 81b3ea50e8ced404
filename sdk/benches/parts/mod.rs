//! What both kinds of measurement run: sessions over memory, and decisions on requests.

pub(crate) mod connection;
pub(crate) mod events;
pub(crate) mod site;

use tokio::runtime::{Builder, Runtime};

/// A runtime for its clock alone: what is measured is polled by hand.
pub(crate) fn clock() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without IO")
}
