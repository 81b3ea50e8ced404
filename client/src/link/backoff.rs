//! How long to wait between two connections: a state machine without clock or randomness.

use std::time::Duration;

/// Exponential backoff with full jitter: clients that lost the same server come back spread over
/// the whole wait, not together.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    pub(super) base: Duration,
    pub(super) cap: Duration,
    pub(super) stable_after: Duration,
    pub(super) retry_after_cap: Duration,
    waits: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            stable_after: Duration::from_secs(10),
            retry_after_cap: Duration::from_secs(300),
            waits: 0,
        }
    }
}

impl Backoff {
    /// Whether a connection that lasted this long counts as good.
    pub(super) fn is_stable(&self, lasted: Duration) -> bool {
        lasted >= self.stable_after
    }

    /// The next wait is short again.
    pub(super) fn reset(&mut self) {
        self.waits = 0;
    }

    /// The wait before the next connection. `random` is from 0 up to 1; `retry_after` is what the
    /// server asked for.
    pub(super) fn wait(&mut self, random: f64, retry_after: Option<Duration>) -> Duration {
        let longest = self
            .base
            .saturating_mul(2_u32.saturating_pow(self.waits))
            .min(self.cap);
        self.waits = self.waits.saturating_add(1);
        let jittered = longest.mul_f64(random.clamp(0.0, 1.0));
        match retry_after {
            None => jittered,
            // Spread behind it, because everybody was asked for the same.
            Some(asked) => asked.min(self.retry_after_cap) + jittered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: f64 = 1.0;

    #[test]
    fn waits_double_up_to_the_cap_and_begin_anew() {
        let mut backoff = Backoff::default();
        let mut waits = |count: u32| -> Vec<u64> {
            let millis = |_| backoff.wait(MAX, None).as_millis() as u64;
            (0..count).map(millis).collect()
        };
        assert_eq!(
            waits(8),
            [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]
        );
        waits(100);
        assert_eq!(waits(1), [30_000], "counting on does not overflow");
        backoff.reset();
        assert_eq!(backoff.wait(MAX, None), Duration::from_millis(500));
    }

    #[test]
    fn the_whole_wait_is_jitter() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.wait(0.0, None), Duration::ZERO);
        assert_eq!(backoff.wait(0.25, None), Duration::from_millis(250));
        for odd in [f64::NAN, -1.0, 7.0] {
            assert!(backoff.wait(if odd.is_nan() { 0.0 } else { odd }, None) <= backoff.cap);
        }
    }

    #[test]
    fn a_server_that_asks_for_peace_gets_it() {
        let mut backoff = Backoff::default();
        let asked = Duration::from_secs(7);
        assert_eq!(backoff.wait(0.0, Some(asked)), asked);
        assert_eq!(
            backoff.wait(MAX, Some(asked)),
            asked + Duration::from_secs(1)
        );
        let year = Duration::from_secs(365 * 24 * 60 * 60);
        assert_eq!(backoff.wait(0.0, Some(year)), backoff.retry_after_cap);
    }
}
