//! Durations counted in logarithmic buckets: constant memory, no allocation a sample.

use std::fmt;
use std::time::Duration;

/// Each power of two is cut into this many buckets, so a value is off by less than 1 %.
const STEPS: u64 = 128;
const STEPS_LOG2: u32 = STEPS.trailing_zeros();
const BUCKETS: usize = (STEPS as usize) * (64 - STEPS_LOG2 as usize + 1);

/// How many samples fell where, from one nanosecond to centuries.
#[derive(Clone)]
pub struct Histogram {
    counts: Box<[u64]>,
    total: u64,
}

impl Histogram {
    /// A histogram without samples.
    pub fn new() -> Self {
        Self {
            counts: vec![0; BUCKETS].into_boxed_slice(),
            total: 0,
        }
    }

    /// Adds `count` samples of the same duration.
    pub fn record(&mut self, sample: Duration, count: u64) {
        let nanos = u64::try_from(sample.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket_of(nanos)] += count;
        self.total += count;
    }

    /// Samples so far.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The duration that a share of all samples (0 to 1) does not exceed; `None` without samples.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        // A rank is far below 2^52, where f64 is still exact.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss
        )]
        let rank = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        self.counts
            .iter()
            .position(|count| {
                seen += count;
                seen >= rank
            })
            .map(|bucket| Duration::from_nanos(middle_of(bucket)))
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("total", &self.total)
            .field("p50", &self.quantile(0.5))
            .field("p99", &self.quantile(0.99))
            .finish()
    }
}

/// Values below [`STEPS`] have a bucket each; above, the leading bits choose it.
fn bucket_of(nanos: u64) -> usize {
    let shift = (u64::BITS - nanos.leading_zeros()).saturating_sub(STEPS_LOG2);
    if shift <= 1 {
        // Below 2 * STEPS the value is its own bucket.
        return usize::try_from(nanos).unwrap_or(usize::MAX);
    }
    let shift = shift - 1;
    let step = (nanos >> shift) - STEPS;
    usize::try_from(u64::from(shift + 1) * STEPS + step).unwrap_or(usize::MAX)
}

/// A value in the middle of a bucket.
fn middle_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * STEPS {
        return bucket;
    }
    let shift = bucket / STEPS - 1;
    let lowest = (STEPS + bucket % STEPS) << shift;
    lowest + (1 << shift) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_within_one_per_cent_of_its_bucket() {
        for power in 0..63 {
            for nanos in [1_u64 << power, (1 << power) + 1, (1 << power) * 2 - 1] {
                let middle = middle_of(bucket_of(nanos));
                assert!(
                    middle.abs_diff(nanos) * 100 <= nanos,
                    "{nanos} became {middle}"
                );
            }
        }
        assert!(bucket_of(u64::MAX) < BUCKETS);
    }

    #[test]
    fn buckets_ascend_without_a_gap() {
        let mut last = bucket_of(0);
        for nanos in 1..100_000 {
            let next = bucket_of(nanos);
            assert!(next == last || next == last + 1, "{nanos}");
            last = next;
        }
    }

    #[test]
    fn quantiles_of_a_known_series() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile(0.5), None);
        for micros in 1..=1000 {
            histogram.record(Duration::from_micros(micros), 1);
        }
        for (share, expected) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1000.0)] {
            let found = histogram
                .quantile(share)
                .expect("has samples")
                .as_secs_f64()
                * 1e6;
            assert!(
                (found - expected).abs() < expected * 0.01,
                "{share}: {found}"
            );
        }
    }

    #[test]
    fn a_count_weighs_as_that_many_samples() {
        let mut histogram = Histogram::new();
        histogram.record(Duration::from_micros(1), 98);
        histogram.record(Duration::from_millis(1), 2);
        assert_eq!(histogram.total(), 100);
        assert!(histogram.quantile(0.98).expect("has samples") < Duration::from_micros(2));
        assert!(histogram.quantile(0.99).expect("has samples") > Duration::from_micros(900));
    }
}
