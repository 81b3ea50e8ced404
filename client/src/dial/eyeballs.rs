//! Which address is tried when ([RFC 8305](https://www.rfc-editor.org/rfc/rfc8305)): a state machine
//! without IO or clock.
//!
//! Both families come from one look-up, in the system's order of preference, so there is no delay
//! for the slower answer of two.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// How long an address is alone before the next one is tried beside it.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Eyeballs {
    waiting: VecDeque<SocketAddr>,
    running: usize,
    /// When the next one may start; the first one may at once.
    next_at: Option<Instant>,
}

impl Eyeballs {
    /// Takes the addresses in order of preference; the families take turns.
    pub(super) fn new(addresses: Vec<SocketAddr>) -> Self {
        let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
        let (preferred, others): (VecDeque<_>, VecDeque<_>) = addresses
            .into_iter()
            .partition(|address| address.is_ipv6() == first_is_v6);
        let mut waiting = VecDeque::with_capacity(preferred.len() + others.len());
        let mut families = [preferred, others];
        while families.iter().any(|family| !family.is_empty()) {
            waiting.extend(families.iter_mut().filter_map(VecDeque::pop_front));
        }
        Self {
            waiting,
            running: 0,
            next_at: None,
        }
    }

    /// The address to try now, if it is time for one.
    pub(super) fn poll_start(&mut self, now: Instant) -> Option<SocketAddr> {
        if self.next_at.is_some_and(|at| now < at) {
            return None;
        }
        let address = self.waiting.pop_front()?;
        self.running += 1;
        self.next_at = Some(now + ATTEMPT_DELAY);
        Some(address)
    }

    /// An attempt failed: the next one need not wait.
    pub(super) fn handle_failure(&mut self) {
        self.running -= 1;
        self.next_at = None;
    }

    /// When to call [`poll_start`](Self::poll_start) again.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if self.waiting.is_empty() {
            return None;
        }
        self.next_at
    }

    /// Whether every address was tried and none is left to hope for.
    pub(super) fn is_over(&self) -> bool {
        self.running == 0 && self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter()
            .map(|address| address.parse().expect("an address"))
            .collect()
    }

    fn order(list: &[&str]) -> Vec<String> {
        let mut eyeballs = Eyeballs::new(addresses(list));
        let mut now = Instant::now();
        let mut started = Vec::new();
        while let Some(address) = eyeballs.poll_start(now) {
            started.push(address.to_string());
            now += ATTEMPT_DELAY;
        }
        started
    }

    #[test]
    fn families_take_turns_and_the_preferred_begins() {
        let (a, b, c) = ("[::1]:1", "[::2]:1", "[::3]:1");
        let (x, y) = ("1.1.1.1:1", "2.2.2.2:1");
        assert_eq!(order(&[a, b, c, x, y]), [a, x, b, y, c]);
        assert_eq!(order(&[x, a, b]), [x, a, b]);
        assert_eq!(order(&[x, y, a]), [x, a, y]);
        assert_eq!(order(&[x]), [x]);
    }

    #[test]
    fn a_slow_address_gets_company_after_a_while() {
        let mut eyeballs = Eyeballs::new(addresses(&["[::1]:1", "1.1.1.1:1"]));
        let start = Instant::now();
        assert!(eyeballs.poll_start(start).is_some());
        assert!(eyeballs.poll_start(start).is_none());
        assert_eq!(eyeballs.poll_timeout(), Some(start + ATTEMPT_DELAY));
        assert!(eyeballs.poll_start(start + ATTEMPT_DELAY).is_some());
        assert_eq!(eyeballs.poll_timeout(), None, "there is nobody left");
        assert!(!eyeballs.is_over());
    }

    #[test]
    fn a_failure_starts_the_next_at_once_and_the_last_ends_it() {
        let mut eyeballs = Eyeballs::new(addresses(&["[::1]:1", "1.1.1.1:1"]));
        let start = Instant::now();
        assert!(eyeballs.poll_start(start).is_some());
        eyeballs.handle_failure();
        assert!(!eyeballs.is_over());
        assert!(eyeballs.poll_start(start).is_some());
        eyeballs.handle_failure();
        assert!(eyeballs.is_over());
        assert!(Eyeballs::new(Vec::new()).is_over());
    }
}
