//! How much a peer may send.

use std::time::{Duration, Instant};

/// What happens to a peer that sends more than its rate.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RatePolicy {
    /// Stop reading until there are tokens again: TCP slows the peer down.
    #[default]
    Wait,
    /// `read` yields a `WHARF_RATE_LIMITED` error in place of the message.
    Error,
    /// The session is closed with 1008.
    Close,
}

/// A token bucket for messages and for bytes; control frames are exempt.
///
/// ```
/// use wharf_sdk::{Configure, RateLimit, RatePolicy, Route};
/// # use wharf_sdk::{App, Result, Socket, testing::TestHost};
/// # async fn echo(mut socket: Socket) -> Result<()> {
/// #     while let Some(message) = socket.read().await? {
/// #         socket.write(message).await?;
/// #     }
/// #     Ok(())
/// # }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<()> {
/// let limit = RateLimit::per_second(2).and_bytes(64 * 1024).on_excess(RatePolicy::Close);
/// let route = Route::new("/echo", echo).rate_limit(limit);
/// # let mut client = TestHost::new(App::builder().route(route).build()?).connect("/echo").await;
///
/// for text in ["one", "two"] {
///     client.send_text(text).await;
///     client.expect_text(text).await;
/// }
/// client.send_text("three in a second").await;
/// client.expect_close(1008).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct RateLimit {
    /// Messages per second, sustained. A burst of one second's worth is allowed.
    pub messages_per_second: u32,
    /// Payload bytes per second, sustained. A burst of one second's worth is allowed, and a
    /// single message may exceed it on a full bucket.
    pub bytes_per_second: u64,
    /// What happens beyond the rate.
    pub policy: RatePolicy,
}

impl RateLimit {
    /// A limit in messages per second, with bytes unlimited.
    pub fn per_second(messages_per_second: u32) -> Self {
        Self {
            messages_per_second,
            bytes_per_second: u64::MAX,
            policy: RatePolicy::default(),
        }
    }

    /// Limits bytes as well.
    #[must_use]
    pub fn and_bytes(mut self, bytes_per_second: u64) -> Self {
        self.bytes_per_second = bytes_per_second;
        self
    }

    /// Sets what happens beyond the rate.
    #[must_use]
    pub fn on_excess(mut self, policy: RatePolicy) -> Self {
        self.policy = policy;
        self
    }
}

/// The state of one peer's [`RateLimit`].
#[derive(Debug)]
pub(crate) struct Bucket {
    limit: RateLimit,
    /// May go below zero: a message is taken whole when the bucket has anything.
    messages: f64,
    bytes: f64,
    filled_at: Instant,
    /// When to fill next, unless tokens are missing before.
    fill_at: Instant,
}

/// Tokens are added in steps of this, since messages come far more often: a burst may thus be a
/// hundredth larger than it should.
const FILL_INTERVAL: Duration = Duration::from_millis(10);

impl Bucket {
    pub(crate) fn new(limit: RateLimit, now: Instant) -> Self {
        Self {
            limit,
            messages: f64::from(limit.messages_per_second),
            bytes: limit.bytes_per_second as f64,
            filled_at: now,
            fill_at: now,
        }
    }

    pub(crate) fn policy(&self) -> RatePolicy {
        self.limit.policy
    }

    /// Takes a message's tokens, or tells when there will be some.
    #[inline]
    pub(crate) fn take(&mut self, payload_bytes: usize, now: Instant) -> Result<(), Instant> {
        let has_tokens = self.has_tokens() && now < self.fill_at;
        if has_tokens || self.filled(now).has_tokens() {
            self.messages -= 1.0;
            // A payload is never larger than an isize, which is cheaper to convert.
            self.bytes -= payload_bytes as isize as f64;
            return Ok(());
        }
        let message_wait = (1.0 - self.messages) / f64::from(self.limit.messages_per_second);
        let byte_wait = (1.0 - self.bytes) / self.limit.bytes_per_second as f64;
        let wait = message_wait.max(byte_wait).clamp(0.001, 3600.0);
        Err(now + Duration::from_secs_f64(wait))
    }

    /// Takes the tokens of several messages, if there are some for each of them. If not, none is taken: which of
    /// them has some is for [`take`](Self::take) to say.
    pub(crate) fn take_all(&mut self, messages: usize, payload_bytes: usize, now: Instant) -> bool {
        if now >= self.fill_at {
            self.filled(now);
        }
        let (messages, bytes) = (messages as isize as f64, payload_bytes as isize as f64);
        let has_tokens = messages <= self.messages && bytes < self.bytes;
        if has_tokens {
            self.messages -= messages;
            self.bytes -= bytes;
        }
        has_tokens
    }

    /// How many messages of together less than `bytes` are within the rate at once, at least the
    /// one that finds out. There may be more by now.
    #[inline]
    pub(crate) fn messages_at_once(&self, bytes: usize) -> usize {
        // A count of tokens fits, and a smaller type is cheaper to convert to.
        if self.bytes < bytes as isize as f64 {
            return 1;
        }
        (self.messages as i32).max(1) as usize
    }

    fn has_tokens(&self) -> bool {
        self.messages >= 1.0 && self.bytes > 0.0
    }

    fn filled(&mut self, now: Instant) -> &Self {
        let seconds = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.filled_at = now;
        self.fill_at = now + FILL_INTERVAL;
        let messages_per_second = f64::from(self.limit.messages_per_second);
        let bytes_per_second = self.limit.bytes_per_second as f64;
        self.messages = (self.messages + seconds * messages_per_second).min(messages_per_second);
        self.bytes = (self.bytes + seconds * bytes_per_second).min(bytes_per_second);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_sustained_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(RateLimit::per_second(10), start);
        for _ in 0..10 {
            bucket.take(1, start).expect("the burst");
        }
        let next = bucket.take(1, start).expect_err("empty");
        assert!(next > start + Duration::from_millis(90));
        bucket.take(1, next).expect("one more");
    }

    #[test]
    fn several_at_once_are_let_through_if_each_would_be() {
        let start = Instant::now();
        let bucket = || Bucket::new(RateLimit::per_second(4).and_bytes(100), start);
        for payload_bytes in [0, 24, 25, 26, 33, 50, 101] {
            for count in 1..6 {
                for after in [0, 5, 300] {
                    let now = start + Duration::from_millis(after);
                    let (mut one_by_one, mut at_once) = (bucket(), bucket());
                    one_by_one.take(30, start).expect("full");
                    at_once.take(30, start).expect("full");
                    let lets_all = (0..count).all(|_| one_by_one.take(payload_bytes, now).is_ok());
                    let before = (at_once.messages, at_once.bytes);
                    if at_once.take_all(count, count * payload_bytes, now) {
                        assert!(lets_all);
                        assert_eq!(at_once.messages, one_by_one.messages);
                        assert_eq!(at_once.bytes, one_by_one.bytes);
                    } else {
                        let is_unchanged =
                            at_once.messages >= before.0 && at_once.bytes >= before.1;
                        assert!(is_unchanged, "nothing is taken");
                    }
                }
            }
        }
    }

    #[test]
    fn bytes_count_too() {
        let start = Instant::now();
        let limit = RateLimit::per_second(1000).and_bytes(100);
        let mut bucket = Bucket::new(limit, start);
        bucket
            .take(150, start)
            .expect("a full bucket takes one large message");
        bucket.take(1, start).expect_err("in debt");
        bucket
            .take(1, start + Duration::from_secs(1))
            .expect("paid back");
    }
}
