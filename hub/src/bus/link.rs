//! What the links of all buses to their engines share.

use std::time::Duration;

use wharf_sdk::{Error, ErrorKind, Result};

/// How long to wait before the next attempt to connect, after so many that failed: a tenth of a
/// second, twice as long each time up to `longest`, and shortened at random, so that nodes do not
/// come at once.
pub fn retry_pause(failed: u32, longest: Duration) -> Duration {
    let full = Duration::from_millis(100) * 2_u32.saturating_pow(failed.min(16));
    full.min(longest).mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// Checks what every name on an engine begins with, which must mean the same on all of them.
///
/// # Errors
///
/// `WHARF_BUS_PREFIX`: it is empty, longer than 64, or has other characters than letters, digits,
/// `-` and `_`.
pub fn check_prefix(prefix: &str) -> Result<()> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    if (1..=64).contains(&prefix.len()) && prefix.chars().all(is_plain) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        "WHARF_BUS_PREFIX",
        "the app's prefix must have 1 to 64 of the characters a-z, A-Z, 0-9, - and _",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_differ() {
        let longest = Duration::from_secs(5);
        for failed in 0..40 {
            let full = Duration::from_millis(100 << failed.min(10)).min(longest);
            let pauses: Vec<_> = (0..50).map(|_| retry_pause(failed, longest)).collect();
            assert!(
                pauses
                    .iter()
                    .all(|pause| *pause >= full / 2 && *pause <= full)
            );
            assert!(
                pauses.iter().any(|pause| *pause != pauses[0]),
                "they differ"
            );
        }
    }

    #[test]
    fn prefixes_are_plain() {
        for good in ["a", "wharf-2_B", &"x".repeat(64)] {
            assert!(check_prefix(good).is_ok(), "{good}");
        }
        for bad in ["", "a.b", "a:b", "a*", "é", "a b", &"x".repeat(65)] {
            let error = check_prefix(bad).expect_err("not a prefix");
            assert_eq!(error.code(), "WHARF_BUS_PREFIX");
        }
    }
}
