//! Whether a server stood an attack.

use std::{fmt, time::Duration};

use crate::honest::Seen;

/// An honest handshake is answered within this, tries that were turned away included.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(2);

/// 99 of 100 honest echoes are back within this.
pub(crate) const ECHO: Duration = Duration::from_millis(100);

pub(crate) const HEADING: &str = "attack                 handshakes  worst ms  turned away  \
                                  echo p99 ms  still held  released s  grew MiB (of)  verdict";

pub(crate) struct Verdict {
    pub(crate) attack: &'static str,
    pub(crate) honest: Seen,
    /// What 99 of 100 echoes may take.
    pub(crate) echo_limit: Duration,
    /// Connections that the attackers had not let go of when the descriptors were counted.
    pub(crate) still_held: usize,
    pub(crate) released_after: Option<Duration>,
    pub(crate) growth_kib: u64,
    pub(crate) allowed_kib: u64,
}

impl Verdict {
    pub(crate) fn passed(&self) -> bool {
        self.faults().is_empty()
    }

    pub(crate) fn echo_p99(&self) -> Duration {
        percentile(&self.honest.echoes, 99)
    }

    fn faults(&self) -> Vec<&'static str> {
        [
            (self.worst_handshake() > HANDSHAKE, "handshakes wait"),
            (self.honest.handshakes.is_empty(), "no handshake"),
            (self.echo_p99() > self.echo_limit, "echoes wait"),
            (self.honest.lost > 0, "honest sockets are lost"),
            (self.released_after.is_none(), "descriptors are kept"),
            (self.growth_kib > self.allowed_kib, "memory grows"),
        ]
        .into_iter()
        .filter_map(|(is_so, fault)| is_so.then_some(fault))
        .collect()
    }

    fn worst_handshake(&self) -> Duration {
        self.honest
            .handshakes
            .iter()
            .max()
            .copied()
            .unwrap_or_default()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let released = self.released_after.map_or("never".to_owned(), |after| {
            format!("{:.1}", after.as_secs_f64())
        });
        let faults = self.faults();
        write!(
            f,
            "{:<22} {:>10}  {:>8}  {:>11}  {:>11.1}  {:>10}  {:>10}  {:>8} ({:>3})  {}",
            self.attack,
            self.honest.handshakes.len(),
            self.worst_handshake().as_millis(),
            self.honest.turned_away,
            self.echo_p99().as_secs_f64() * 1000.0,
            self.still_held,
            released,
            self.growth_kib / 1024,
            self.allowed_kib / 1024,
            if faults.is_empty() {
                "stood".to_owned()
            } else {
                faults.join(", ")
            },
        )
    }
}

/// Zero where there is nothing.
pub(crate) fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(at).copied().unwrap_or_default()
}
