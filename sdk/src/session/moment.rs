//! Points in time that many are kept of.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

/// What moments are counted from. Well before the first of them: the clock of a test may have stood
/// still since before that.
static ORIGIN: LazyLock<Instant> = LazyLock::new(|| {
    let now = Instant::now();
    now.checked_sub(Duration::from_secs(24 * 60 * 60))
        .unwrap_or(now)
});

/// A point in time, in nanoseconds: half the room of an instant. All of a process have one origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Before all others.
    pub(crate) const FIRST: Self = Self(0);

    /// The deadline of what is not set.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// The last that can be counted, five centuries ahead. Later ones are this one.
    const LAST: Self = Self(u64::MAX - 1);

    pub(crate) fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    pub(crate) fn nanos(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn of(at: Instant) -> Self {
        let since = at.saturating_duration_since(*ORIGIN);
        let seconds = since.as_secs().saturating_mul(1_000_000_000);
        let nanos = seconds.saturating_add(u64::from(since.subsec_nanos()));
        Self(nanos).min(Self::LAST)
    }

    /// The other way round.
    #[inline]
    pub(crate) fn instant(self) -> Instant {
        *ORIGIN + Duration::from_nanos(self.0)
    }

    /// Whether it ever comes. One that is later than can be counted does not: it would be due again
    /// and again.
    #[inline]
    pub(crate) fn comes(self) -> bool {
        self < Self::LAST
    }
}
