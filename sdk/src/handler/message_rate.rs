//! How often a key may send.

use std::{fmt, hash::Hash, num::NonZeroU32, time::Duration};

use async_trait::async_trait;

use crate::{
    handler::middleware::{Inbound, MessageMiddleware},
    message::{Error, ErrorKind, Result},
    policy::KeyedRate,
};

/// Refuses a key's messages beyond a rate, over all its connections; a route's
/// [`RateLimit`](crate::RateLimit) counts each connection by itself. A message costs the same however
/// many keys there are; idle ones are forgotten.
///
/// ```
/// use std::num::NonZeroU32;
/// use wharf_sdk::{Configure, DecodeErrors, Route, Socket, middleware::MessageRate};
///
/// let twenty = NonZeroU32::new(20).expect("not zero");
/// let per_user = MessageRate::per_second(twenty, |inbound| {
///     Some(inbound.context().principal()?.id.clone())
/// });
/// let route = Route::new("/chat", async |_: Socket| {})
///     .message_middleware(per_user)
///     .decode_errors(DecodeErrors::Answer); // and not the end of the session
/// # let _ = route;
/// ```
pub struct MessageRate<K, F> {
    rate: KeyedRate<K>,
    key: F,
}

impl<K, F> MessageRate<K, F>
where
    K: Hash + Eq + Clone + Send + 'static,
    F: Fn(&Inbound<'_>) -> Option<K> + Send + Sync + 'static,
{
    /// Allows each key this many messages a second, as a burst or spread. One without a key passes.
    pub fn per_second(messages: NonZeroU32, key: F) -> Self {
        Self {
            rate: KeyedRate::new(messages.get(), Duration::from_secs(1)),
            key,
        }
    }
}

#[async_trait]
impl<K, F> MessageMiddleware for MessageRate<K, F>
where
    K: Hash + Eq + Clone + Send + 'static,
    F: Fn(&Inbound<'_>) -> Option<K> + Send + Sync + 'static,
{
    async fn before(&self, inbound: &Inbound<'_>) -> Result<()> {
        let now = tokio::time::Instant::now().into_std();
        match (self.key)(inbound).map(|key| self.rate.take(&key, now)) {
            Some(Err(wait)) => Err(Error::new(
                ErrorKind::RateLimited,
                "WHARF_RATE_LIMITED",
                "too many messages in a short time; wait and send fewer",
            )
            .with_field("retry_after_ms", wait.as_millis() as u64)),
            _ => Ok(()),
        }
    }
}

impl<K, F> fmt::Debug for MessageRate<K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageRate")
    }
}
