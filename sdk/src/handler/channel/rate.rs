//! How often an event may come.

use std::{sync::Arc, time::Duration};

use super::call::Call;
use crate::policy::KeyedRate;

/// A rate of one event: by connection unless it says otherwise.
///
/// A burst of one second's worth is allowed. Beyond the rate, the event's function does not run and
/// the peer is told `WHARF_RATE_LIMITED`.
#[derive(Clone)]
pub struct EventRate {
    per_second: u32,
    key: Key,
    /// By another key than the connection, over all connections of the channel.
    shared: Arc<KeyedRate<String>>,
}

#[derive(Clone)]
enum Key {
    Connection,
    Principal,
    Of(Arc<dyn Fn(&Call) -> String + Send + Sync>),
}

impl EventRate {
    /// So many a second, at least one.
    pub fn per_second(events: u32) -> Self {
        let per_second = events.max(1);
        Self {
            per_second,
            key: Key::Connection,
            shared: Arc::new(KeyedRate::new(per_second, Duration::from_secs(1))),
        }
    }

    /// Counts all connections of a principal together. Who has no principal is counted by
    /// connection.
    #[must_use]
    pub fn by_principal(mut self) -> Self {
        self.key = Key::Principal;
        self
    }

    /// Counts by what this returns: a room, a tenant, an address.
    #[must_use]
    pub fn by(mut self, key: impl Fn(&Call) -> String + Send + Sync + 'static) -> Self {
        self.key = Key::Of(Arc::new(key));
        self
    }

    /// How many a second.
    pub fn events_per_second(&self) -> u32 {
        self.per_second
    }

    pub(super) fn take(&self, call: &Call, now: std::time::Instant) -> bool {
        let principal = call.context().principal().map(|who| &*who.id);
        let key = match (&self.key, principal) {
            (Key::Of(key), _) => key(call),
            // The prefixes keep a principal from being called like a connection.
            (Key::Principal, Some(id)) => format!("p{id}"),
            _ => format!("c{}", call.context().id()),
        };
        self.shared.take(&key, now).is_ok()
    }
}

impl std::fmt::Debug for EventRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventRate")
            .field("per_second", &self.per_second)
            .finish_non_exhaustive()
    }
}
