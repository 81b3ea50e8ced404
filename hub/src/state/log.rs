//! One order for a room with history: what has been delivered, what waits, what is missing.
//!
//! A state machine without IO: entries and replays go in, steps come out.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    bus::{Entry, Place, Replay},
    words::Position,
};

/// How many entries wait for a hole to be filled; the refill brings the rest.
const MAX_HELD: usize = 256;

/// What to do next.
#[derive(Debug, PartialEq)]
pub(crate) enum Step<T> {
    /// Hand this to everybody; it is now the last one.
    Deliver(Position, T),
    /// Something is missing here and is no longer to be had: so many, where that is known.
    Gap(Option<u64>),
    /// Ask the bus what comes after the [position](Log::position), and [refill](Log::refill).
    Refill,
}

#[derive(Debug)]
pub(crate) struct Log<T> {
    position: Position,
    held: BTreeMap<u64, Held<T>>,
    refill: Refill,
    /// During a refill an entry of another epoch came: the bus may have answered before it had it.
    is_outdated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Refill {
    NotNeeded,
    UnderWay,
    Failed,
}

#[derive(Debug)]
struct Held<T> {
    place: Place,
    item: T,
}

impl<T> Log<T> {
    /// Begins behind `head`: what is older is not asked for.
    pub(crate) fn at(head: Position) -> Self {
        Self {
            position: head,
            held: BTreeMap::new(),
            refill: Refill::NotNeeded,
            is_outdated: false,
        }
    }

    /// What was delivered last.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// Something may have been missed.
    pub(crate) fn doubt(&mut self) -> Option<Step<T>> {
        self.begin_refill()
    }

    /// Takes an entry that the bus carried here.
    pub(crate) fn hear(&mut self, place: Place, item: T) -> VecDeque<Step<T>> {
        let mut steps = VecDeque::new();
        let Position { epoch, offset } = place.position;
        if epoch != self.position.epoch {
            match self.begin_refill() {
                Some(refill) => steps.push_back(refill),
                None => self.is_outdated = true,
            }
            return steps;
        }
        if offset <= self.position.offset {
            return steps;
        }
        // While a refill is under way it decides, since it may be of another epoch.
        if place.previous <= self.position.offset && self.refill == Refill::NotNeeded {
            self.deliver(place.position, item, &mut steps);
            self.deliver_held(&mut steps);
        } else {
            if self.held.len() < MAX_HELD {
                self.held.insert(offset, Held { place, item });
            }
            steps.extend(self.begin_refill());
        }
        steps
    }

    /// Takes what the bus said to a [`Step::Refill`]; `read` makes an item of an entry, and `None`
    /// of one that is damaged.
    pub(crate) fn refill(
        &mut self,
        replay: &Replay,
        mut read: impl FnMut(&Entry) -> Option<T>,
    ) -> VecDeque<Step<T>> {
        let mut steps = VecDeque::new();
        self.refill = Refill::NotNeeded;
        let epoch = replay.head.epoch;
        if epoch != self.position.epoch {
            self.held.clear();
            self.position = Position { epoch, offset: 0 };
            steps.push_back(Step::Gap(None));
        } else if !replay.is_complete {
            steps.push_back(Step::Gap(None));
        }
        for entry in &replay.entries {
            if entry.offset > self.position.offset {
                let position = Position {
                    epoch,
                    offset: entry.offset,
                };
                match read(entry) {
                    Some(item) => self.deliver(position, item, &mut steps),
                    None => {
                        self.position = position;
                        steps.push_back(Step::Gap(Some(1)));
                    }
                }
            }
        }
        // What was lost at the end of the history is told by the gap above.
        self.position.offset = self.position.offset.max(replay.head.offset);
        self.deliver_held(&mut steps);
        if self.is_outdated || !self.held.is_empty() {
            steps.extend(self.begin_refill());
        }
        steps
    }

    /// The refill failed; it is still needed.
    pub(crate) fn refill_failed(&mut self) {
        self.refill = Refill::Failed;
    }

    /// Begins a failed refill again.
    pub(crate) fn retry(&mut self) -> Option<Step<T>> {
        (self.refill == Refill::Failed)
            .then(|| self.begin_refill())
            .flatten()
    }

    fn begin_refill(&mut self) -> Option<Step<T>> {
        let before = std::mem::replace(&mut self.refill, Refill::UnderWay);
        if before == Refill::UnderWay {
            return None;
        }
        self.is_outdated = false;
        Some(Step::Refill)
    }

    fn deliver(&mut self, position: Position, item: T, steps: &mut VecDeque<Step<T>>) {
        self.position = position;
        steps.push_back(Step::Deliver(position, item));
    }

    fn deliver_held(&mut self, steps: &mut VecDeque<Step<T>>) {
        while let Some(first) = self.held.first_entry() {
            let place = first.get().place;
            if place.position.offset <= self.position.offset {
                first.remove();
            } else if place.previous <= self.position.offset {
                let held = first.remove();
                self.deliver(place.position, held.item, steps);
            } else {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use arbitrary::Unstructured;
    use bytes::Bytes;

    use super::*;
    use crate::{
        bus::Store,
        words::{History, RoomName},
    };

    /// A history that keeps few; a bus that loses, doubles and swaps; and now and then a history
    /// that is lost. What is delivered grows within an epoch, and between two neighbours there is
    /// either nothing or a gap that was told; and if the last entry is carried here, all ends with it.
    fn order_is_kept_and_holes_are_told(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let room = RoomName::new("room").expect("a name");
        let history = History::new(u.int_in_range(1..=5)?, Duration::from_secs(60));
        let mut store = Store::default();
        let mut log = Log::at(store.replay(&room, history, None, Duration::ZERO).head);
        let mut lane: VecDeque<(Place, Bytes)> = VecDeque::new();
        let mut asked: Option<(Position, Option<Replay>)> = None;
        let mut heard: Option<Position> = Some(log.position());
        let mut was_gap = false;
        let mut appended = 0;
        let mut lost_histories = 0;
        let mut carried_last = None;
        let mut turns: u32 = u.int_in_range(1..=60)?;
        while turns > 0 || !lane.is_empty() || asked.is_some() {
            let mut steps = VecDeque::new();
            let kind = match turns {
                // In the end what is under way arrives.
                0 if asked.is_some() => 6,
                0 => 9,
                _ => u.int_in_range(0..=9)?,
            };
            turns = turns.saturating_sub(1);
            match kind {
                0..=4 => {
                    appended += 1;
                    let frame = Bytes::from(vec![appended]);
                    let place = store.append(&room, history, frame.clone(), Duration::ZERO);
                    match u.int_in_range(0..=5)? {
                        0 => {
                            carried_last = None;
                            continue;
                        }
                        1 => lane.extend([(place, frame.clone()), (place, frame)]),
                        2 => lane.push_front((place, frame)),
                        _ => lane.push_back((place, frame)),
                    }
                    carried_last = Some(place.position);
                }
                5 if lost_histories < 2 => {
                    lost_histories += 1;
                    store = Store::default();
                    carried_last = None;
                }
                6 | 7 => {
                    if let Some((since, early)) = asked.take() {
                        let replay = early.unwrap_or_else(|| {
                            store.replay(&room, history, Some(since), Duration::ZERO)
                        });
                        steps = log.refill(&replay, |entry| Some(entry.frame.clone()));
                    }
                }
                _ => {
                    if let Some((place, frame)) = lane.pop_front() {
                        steps = log.hear(place, frame);
                    }
                }
            }
            for step in steps {
                match step {
                    Step::Deliver(position, _) => {
                        if let Some(last) = heard {
                            let is_next =
                                last.epoch == position.epoch && position.offset == last.offset + 1;
                            assert!(is_next || was_gap, "{last} then {position}");
                            assert!(
                                last.epoch != position.epoch || position.offset > last.offset,
                                "{position} after {last}"
                            );
                        }
                        heard = Some(position);
                        was_gap = false;
                    }
                    Step::Gap(_) => was_gap = true,
                    Step::Refill => {
                        assert!(asked.is_none(), "one refill at a time");
                        let since = log.position();
                        // The bus may answer at once, and the answer take its time.
                        let early = u
                            .arbitrary::<bool>()?
                            .then(|| store.replay(&room, history, Some(since), Duration::ZERO));
                        asked = Some((since, early));
                    }
                }
            }
        }
        if let Some(last) = carried_last {
            assert_eq!(log.position(), last, "the last was carried here");
        }
        Ok(())
    }

    /// The first entry of a history that was begun anew, which came before the answer that lacks it.
    #[test]
    fn what_overtakes_an_answer_that_lacks_it_is_asked_for_again() {
        let room = RoomName::new("room").expect("a name");
        let history = History::new(5, Duration::from_secs(60));
        let mut store = Store::default();
        let mut log = Log::at(store.replay(&room, history, None, Duration::ZERO).head);
        store = Store::default();
        assert_eq!(log.doubt(), Some(Step::Refill));
        let early = store.replay(&room, history, Some(log.position()), Duration::ZERO);
        let frame = Bytes::from_static(b"first");
        let place = store.append(&room, history, frame.clone(), Duration::ZERO);
        assert!(log.hear(place, frame.clone()).is_empty());
        let read = |entry: &Entry| Some(entry.frame.clone());
        assert_eq!(log.refill(&early, read), [Step::Gap(None), Step::Refill]);
        let late = store.replay(&room, history, Some(log.position()), Duration::ZERO);
        let steps = log.refill(&late, read);
        assert_eq!(steps, [Step::Deliver(place.position, frame)]);
    }

    #[test]
    fn order_is_kept_and_holes_are_told_for_any_lane() {
        arbtest::arbtest(order_is_kept_and_holes_are_told).budget_ms(500);
    }
}
