//! Whether a server stood an attack.

use std::{fmt, time::Duration};

use crate::{Limits, honest::Seen};

/// An honest handshake is answered within this, tries that were turned away included.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(2);

/// 99 of 100 honest echoes are back within this.
pub(crate) const ECHO: Duration = Duration::from_millis(100);

pub(crate) const HEADING: &str = "attack                 handshakes  worst ms  turned away  \
                                  echo p99 ms  still held  released s  grew MiB (of)  verdict";

pub(crate) struct Verdict {
    pub(crate) attack: &'static str,
    pub(crate) honest: Seen,
    /// What every handshake may take, and 99 of 100 echoes.
    pub(crate) limits: Limits,
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
            (
                self.worst_handshake() > self.limits.handshake,
                "handshakes wait",
            ),
            (self.honest.handshakes.is_empty(), "no handshake"),
            (self.echo_p99() > self.limits.echo, "echoes wait"),
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

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn stood() -> Verdict {
        Verdict {
            attack: "none",
            honest: Seen {
                handshakes: vec![Duration::from_millis(1); 3],
                turned_away: 1,
                echoes: vec![Duration::from_millis(1); 100],
                lost: 0,
            },
            limits: Limits {
                handshake: HANDSHAKE,
                echo: ECHO,
            },
            still_held: 300,
            released_after: Some(SECOND),
            growth_kib: 1024,
            allowed_kib: 1024,
        }
    }

    #[test]
    fn every_bound_can_be_broken_alone() {
        assert!(stood().passed());
        type Break = fn(&mut Verdict);
        let broken: [(&str, Break); 6] = [
            ("handshakes wait", |so| {
                so.honest.handshakes.push(3 * SECOND)
            }),
            ("no handshake", |so| so.honest.handshakes.clear()),
            ("echoes wait", |so| so.honest.echoes.extend([SECOND; 2])),
            ("honest sockets are lost", |so| so.honest.lost = 1),
            ("descriptors are kept", |so| so.released_after = None),
            ("memory grows", |so| so.growth_kib += 1),
        ];
        for (fault, break_it) in broken {
            let mut verdict = stood();
            break_it(&mut verdict);
            assert_eq!(verdict.faults(), [fault]);
            assert!(!verdict.passed() && verdict.to_string().ends_with(fault));
        }
    }

    #[test]
    fn one_slow_echo_of_a_hundred_is_borne() {
        let mut verdict = stood();
        verdict.honest.echoes.push(SECOND);
        assert!(verdict.passed());
    }
}
