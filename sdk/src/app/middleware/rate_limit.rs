//! How often a key may ask for an upgrade.

use std::{
    hash::Hash,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use http::{HeaderValue, StatusCode, header};

use crate::{
    app::middleware::{Middleware, Next, Refusal},
    message::{Error, ErrorKind, Result},
    policy::KeyedRate,
    request::{Context, Response},
};

/// Refuses a key's upgrades beyond a rate with 429 and `Retry-After`. A request costs the same
/// however many keys there are; idle ones are forgotten.
///
/// ```
/// use std::num::NonZeroU32;
/// use wharf_sdk::middleware::UpgradeRate;
///
/// let ten = NonZeroU32::new(10).expect("not zero");
/// let per_address = UpgradeRate::per_minute(ten, |context| Some(context.peer()?.ip()));
/// # let _ = per_address;
/// ```
pub struct UpgradeRate<K, F> {
    rate: KeyedRate<K>,
    key: F,
}

impl<K, F> UpgradeRate<K, F>
where
    K: Hash + Eq + Clone + Send + 'static,
    F: Fn(&Context) -> Option<K> + Send + Sync + 'static,
{
    /// Allows each key this many upgrades a second, as a burst or spread. A request without a key
    /// passes.
    pub fn per_second(upgrades: NonZeroU32, key: F) -> Self {
        Self::new(upgrades, Duration::from_secs(1), key)
    }

    /// Allows each key this many upgrades a minute, as a burst or spread. A request without a key
    /// passes.
    pub fn per_minute(upgrades: NonZeroU32, key: F) -> Self {
        Self::new(upgrades, Duration::from_secs(60), key)
    }

    fn new(upgrades: NonZeroU32, period: Duration, key: F) -> Self {
        Self {
            rate: KeyedRate::new(upgrades.get(), period),
            key,
        }
    }
}

#[async_trait]
impl<K, F> Middleware for UpgradeRate<K, F>
where
    K: Hash + Eq + Clone + Send + 'static,
    F: Fn(&Context) -> Option<K> + Send + Sync + 'static,
{
    async fn handle(&self, context: Context, next: Next) -> Result<Response> {
        if let Some(Err(wait)) =
            (self.key)(&context).map(|key| self.rate.take(&key, Instant::now()))
        {
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

    fn refusals(&self) -> Vec<Refusal> {
        vec![Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "WHARF_UPGRADE_RATE",
            "there were too many connections in a short time; Retry-After says how long to wait",
        )]
    }
}

impl<K, F> std::fmt::Debug for UpgradeRate<K, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UpgradeRate")
    }
}
