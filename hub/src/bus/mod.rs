//! What carries rooms between nodes.
//!
//! A bus moves frames that it does not look into, keeps a history where it can, and remembers who
//! is present. What the frames mean, order, doubles and gaps are the [`Hub`](crate::Hub)'s.
//!
//! This floor stands on `words/`.

mod contract;
mod link;
mod local;
mod standing;
mod store;

pub use self::{
    contract::{
        Beat, Bus, BusCapabilities, BusEvent, BusFuture, BusListener, Entry, FORMAT, Members,
        Place, Replay,
    },
    link::{check_prefix, retry_pause},
    local::LocalBus,
    standing::{BusStats, Standing},
};
#[cfg(any(test, feature = "testing"))]
pub(crate) use self::{local::Clock, store::Store};
pub use crate::words::Topic;
