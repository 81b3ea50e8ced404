//! Those who wait for something of a session's, first come first served.

use std::{collections::VecDeque, num::NonZeroU64, task::Waker};

/// A line of waiting tasks. Joining, leaving and calling the first one cost a constant, however
/// many wait.
#[derive(Debug)]
pub(crate) struct Waiters {
    /// The number of the first place. Somebody may return to the front, so it can fall.
    first: u64,
    /// Empty places are of those who left; there is none at either end.
    places: VecDeque<Option<Waiter>>,
    /// The ticket of who joins next: places are taken again, tickets are not.
    next_serial: NonZeroU64,
}

#[derive(Debug)]
struct Waiter {
    serial: NonZeroU64,
    waker: Waker,
    /// How much room it waits for.
    payload_bytes: usize,
}

/// A place in the line. Who holds one that is not in the line any more has been called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    place: u64,
    serial: NonZeroU64,
}

impl Default for Waiters {
    fn default() -> Self {
        Self {
            first: u64::MAX / 2,
            places: VecDeque::new(),
            next_serial: NonZeroU64::MIN,
        }
    }
}

impl Waiters {
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether the holder still waits.
    pub(crate) fn holds(&self, ticket: Ticket) -> bool {
        let at = self.at(ticket);
        let place = at.and_then(|at| self.places.get(at)?.as_ref());
        place.is_some_and(|waiter| waiter.serial == ticket.serial)
    }

    /// Joins at the end.
    pub(crate) fn join(&mut self, payload_bytes: usize, waker: &Waker) -> Ticket {
        let waiter = self.waiter(payload_bytes, waker);
        let ticket = Ticket {
            place: self.first + self.places.len() as u64,
            serial: waiter.serial,
        };
        self.places.push_back(Some(waiter));
        ticket
    }

    /// Joins in front of all: called too early, or overtaken.
    pub(crate) fn rejoin(&mut self, payload_bytes: usize, waker: &Waker) -> Ticket {
        let waiter = self.waiter(payload_bytes, waker);
        self.first -= 1;
        let ticket = Ticket {
            place: self.first,
            serial: waiter.serial,
        };
        self.places.push_front(Some(waiter));
        ticket
    }

    /// The holder has moved to another task, perhaps.
    pub(crate) fn renew(&mut self, ticket: Ticket, waker: &Waker) {
        if let Some(place) = self.place_of(ticket)
            && let Some(waiter) = place
        {
            waiter.waker.clone_from(waker);
        }
    }

    /// The holder leaves the line; its waker is handed back to be dropped.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Option<Waker> {
        let waiter = self.place_of(ticket)?.take()?;
        self.trim();
        Some(waiter.waker)
    }

    /// What the first one waits for.
    pub(crate) fn first_payload_bytes(&self) -> Option<usize> {
        let first = self.places.front()?.as_ref()?;
        Some(first.payload_bytes)
    }

    /// Takes the first one out of the line, to be woken.
    pub(crate) fn call_first(&mut self) -> Option<Waker> {
        let waiter = self.places.pop_front()??;
        self.first += 1;
        self.trim();
        Some(waiter.waker)
    }

    /// Takes all out of the line, to be woken.
    pub(crate) fn call_all(&mut self) -> impl Iterator<Item = Waker> + use<> {
        let all = std::mem::take(&mut self.places);
        self.first += all.len() as u64;
        all.into_iter().flatten().map(|waiter| waiter.waker)
    }

    fn waiter(&mut self, payload_bytes: usize, waker: &Waker) -> Waiter {
        let serial = self.next_serial;
        self.next_serial = serial.saturating_add(1);
        Waiter {
            serial,
            waker: waker.clone(),
            payload_bytes,
        }
    }

    fn at(&self, ticket: Ticket) -> Option<usize> {
        usize::try_from(ticket.place.checked_sub(self.first)?).ok()
    }

    /// The holder's place, if it still has it.
    fn place_of(&mut self, ticket: Ticket) -> Option<&mut Option<Waiter>> {
        let at = self.at(ticket)?;
        let place = self.places.get_mut(at)?;
        let is_held = place.as_ref()?.serial == ticket.serial;
        is_held.then_some(place)
    }

    fn trim(&mut self) {
        while let Some(None) = self.places.front() {
            self.places.pop_front();
            self.first += 1;
        }
        while let Some(None) = self.places.back() {
            self.places.pop_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waker() -> &'static Waker {
        Waker::noop()
    }

    #[test]
    fn the_first_to_come_is_the_first_to_be_called() {
        let mut line = Waiters::default();
        let tickets: Vec<_> = (0..3).map(|bytes| line.join(bytes, waker())).collect();
        assert_eq!(line.first_payload_bytes(), Some(0));
        assert!(line.call_first().is_some());
        assert!(!line.holds(tickets[0]));
        assert_eq!(line.first_payload_bytes(), Some(1));
        assert!(line.leave(tickets[0]).is_none(), "it was called");
    }

    #[test]
    fn who_leaves_in_the_middle_leaves_no_hole() {
        let mut line = Waiters::default();
        let tickets: Vec<_> = (0..5).map(|bytes| line.join(bytes, waker())).collect();
        for at in [1, 4, 0, 3] {
            assert!(line.leave(tickets[at]).is_some());
        }
        assert_eq!(line.first_payload_bytes(), Some(2));
        assert_eq!(line.places.len(), 1);
        let late = line.join(9, waker());
        assert!(
            tickets
                .iter()
                .all(|ticket| *ticket != late || !line.holds(*ticket))
        );
        assert_eq!(line.call_all().count(), 2);
        assert!(line.is_empty());
    }

    #[test]
    fn who_was_called_too_early_is_first_again() {
        let mut line = Waiters::default();
        line.join(1, waker());
        let second = line.join(2, waker());
        assert!(line.call_first().is_some());
        let again = line.rejoin(1, waker());
        assert!(line.holds(again) && line.holds(second));
        assert_eq!(line.first_payload_bytes(), Some(1));
        // Two are called, and the first to look takes the place that was the second's.
        assert!(line.call_first().is_some() && line.call_first().is_some());
        line.rejoin(1, waker());
        assert!(!line.holds(second), "it has been called");
    }
}
