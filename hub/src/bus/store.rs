//! Histories in memory. Time is a parameter.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;

use crate::{
    bus::contract::{Entry, Place, Replay},
    words::{History, Position, RoomName},
};

/// How often histories that have outlived their time are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct Store {
    histories: HashMap<RoomName, Kept>,
    swept_at: Duration,
}

#[derive(Debug)]
struct Kept {
    epoch: u64,
    last: u64,
    entries: VecDeque<(Duration, Entry)>,
    /// When nobody can come back to a position in it.
    ends_at: Duration,
}

impl Kept {
    fn head(&self) -> Position {
        Position {
            epoch: self.epoch,
            offset: self.last,
        }
    }

    fn trim(&mut self, history: History, now: Duration) {
        while self.entries.len() > history.messages
            || (self.entries.front()).is_some_and(|(at, _)| *at + history.age <= now)
        {
            self.entries.pop_front();
        }
    }
}

impl Store {
    pub(crate) fn append(
        &mut self,
        room: &RoomName,
        history: History,
        frame: Bytes,
        now: Duration,
    ) -> Place {
        self.sweep(now);
        let kept = self.kept(room, history, now);
        let previous = kept.last;
        kept.last += 1;
        let offset = kept.last;
        kept.entries.push_back((now, Entry { offset, frame }));
        kept.trim(history, now);
        Place {
            position: kept.head(),
            previous,
        }
    }

    pub(crate) fn replay(
        &mut self,
        room: &RoomName,
        history: History,
        since: Option<Position>,
        now: Duration,
    ) -> Replay {
        self.sweep(now);
        let kept = self.kept(room, history, now);
        kept.trim(history, now);
        let head = kept.head();
        let Some(since) = since else {
            return Replay {
                is_complete: true,
                entries: Vec::new(),
                head,
            };
        };
        let is_same = since.epoch == head.epoch;
        let after = if is_same { since.offset } else { 0 };
        let entries: Vec<_> = kept
            .entries
            .iter()
            .filter(|(_, entry)| entry.offset > after)
            .map(|(_, entry)| entry.clone())
            .collect();
        let first = entries
            .first()
            .map_or(head.offset + 1, |entry| entry.offset);
        Replay {
            is_complete: is_same && since.offset <= head.offset && first == since.offset + 1,
            entries,
            head,
        }
    }

    fn kept(&mut self, room: &RoomName, history: History, now: Duration) -> &mut Kept {
        let kept = self.histories.entry(room.clone()).or_insert_with(|| Kept {
            // Small enough for any client's numbers.
            epoch: fastrand::u64(1..1 << 48),
            last: 0,
            entries: VecDeque::new(),
            ends_at: Duration::ZERO,
        });
        kept.ends_at = now + history.remembered_for();
        kept
    }

    fn sweep(&mut self, now: Duration) {
        if now < self.swept_at + SWEEP_INTERVAL {
            return;
        }
        self.swept_at = now;
        self.histories.retain(|_, kept| kept.ends_at > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_history_that_nobody_can_come_back_to_is_forgotten() {
        let room = RoomName::new("room").expect("a name");
        let history = History::new(10, SECOND);
        let mut store = Store::default();
        let place = store.append(&room, history, Bytes::new(), Duration::ZERO);
        let other = RoomName::new("other").expect("a name");
        store.append(
            &other,
            history,
            Bytes::new(),
            history.remembered_for() + SECOND * 10,
        );
        assert_eq!(store.histories.len(), 1);
        let later = history.remembered_for() + SECOND * 11;
        let replay = store.replay(&room, history, Some(place.position), later);
        assert!(!replay.is_complete);
        assert_ne!(replay.head.epoch, place.position.epoch);
    }

    #[test]
    fn what_is_too_old_makes_a_replay_incomplete() {
        let room = RoomName::new("room").expect("a name");
        let history = History::new(10, SECOND);
        let mut store = Store::default();
        let start = store.replay(&room, history, None, Duration::ZERO).head;
        let first = store.append(&room, history, Bytes::new(), Duration::ZERO);
        let at_once = store.replay(&room, history, Some(start), Duration::ZERO);
        assert!(at_once.is_complete && at_once.entries.len() == 1);
        let late = store.replay(&room, history, Some(start), SECOND);
        assert!(!late.is_complete && late.entries.is_empty());
        let heard = store.replay(&room, history, Some(first.position), SECOND);
        assert!(heard.is_complete, "nothing came after it");
    }
}
