//! How often a key may ask for an upgrade.

use std::{hash::Hash, num::NonZeroU32, time::Duration};

use async_trait::async_trait;
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use http::{HeaderValue, header};

use crate::{
    app::middleware::{Middleware, Next},
    message::{Error, ErrorKind, Result},
    request::{Context, Response},
};

/// Keys that are tracked before those with full buckets are forgotten.
const FORGET_AT_KEYS: usize = 10_000;

/// Refuses a key's upgrades beyond a rate with 429 and `Retry-After`.
///
/// ```
/// use std::num::NonZeroU32;
/// use wharf_sdk::middleware::UpgradeRate;
///
/// let ten = NonZeroU32::new(10).expect("not zero");
/// let per_address = UpgradeRate::per_minute(ten, |context| Some(context.peer()?.ip()));
/// # let _ = per_address;
/// ```
pub struct UpgradeRate<K: Hash + Eq + Clone, F> {
    limiter: DefaultKeyedRateLimiter<K>,
    key: F,
}

impl<K, F> UpgradeRate<K, F>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    F: Fn(&Context) -> Option<K> + Send + Sync + 'static,
{
    /// Allows each key this many upgrades a second, as a burst or spread. A request without a key
    /// passes.
    pub fn per_second(upgrades: NonZeroU32, key: F) -> Self {
        Self::new(Quota::per_second(upgrades), key)
    }

    /// Allows each key this many upgrades a minute, as a burst or spread. A request without a key
    /// passes.
    pub fn per_minute(upgrades: NonZeroU32, key: F) -> Self {
        Self::new(Quota::per_minute(upgrades), key)
    }

    fn new(quota: Quota, key: F) -> Self {
        Self {
            limiter: RateLimiter::keyed(quota),
            key,
        }
    }

    fn check(&self, key: &K) -> Result<(), Duration> {
        if self.limiter.len() >= FORGET_AT_KEYS {
            // A flood of keys must not grow the table without end.
            self.limiter.retain_recent();
        }
        self.limiter
            .check_key(key)
            .map_err(|not_until| not_until.wait_time_from(DefaultClock::default().now()))
    }
}

#[async_trait]
impl<K, F> Middleware for UpgradeRate<K, F>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    F: Fn(&Context) -> Option<K> + Send + Sync + 'static,
{
    async fn handle(&self, context: Context, next: Next) -> Result<Response> {
        if let Some(Err(wait)) = (self.key)(&context).map(|key| self.check(&key)) {
            let seconds = wait.as_secs().saturating_add(1);
            return Err(Error::new(
                ErrorKind::RateLimited,
                "WHARF_UPGRADE_RATE",
                "too many connections in a short time; wait and try again",
            )
            .with_header(header::RETRY_AFTER, HeaderValue::from(seconds)));
        }
        Ok(next.run(context).await)
    }
}

impl<K: Hash + Eq + Clone, F> std::fmt::Debug for UpgradeRate<K, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UpgradeRate")
    }
}
