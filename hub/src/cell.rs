//! A room on this node: who sits in it, and what they are told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use slab::Slab;
use tokio::{sync::oneshot, time::Instant};
use wharf_sdk::SharedMessage;

use crate::{
    Delivery, Event, Gap, NodeId, RoomName, RoomOptions,
    bus::{BusFuture, Place, Replay, Topic},
    chair::{Chair, Handed},
    frame::{Frame, What},
    heard::{Heard, Hearing},
    log::{Log, Step},
    observe::add,
    roster::{Change, Roster},
    shared::Shared,
    snapshot::RoomFigures,
    subscription::Ear,
};

/// A room on this node. It exists while somebody uses it, and a moment longer.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) name: RoomName,
    /// Held by whoever subscribes to the bus and finds out where the room stands.
    pub(crate) opening: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) options: RoomOptions,
    /// Seats, subscriptions and calls under way.
    pub(crate) users: usize,
    /// Since when there are none.
    pub(crate) idle_since: Option<Instant>,
    pub(crate) is_subscribed: bool,
    pub(crate) chairs: Slab<Chair>,
    pub(crate) ears: Vec<Arc<Ear>>,
    pub(crate) history: Option<Box<Historic>>,
    pub(crate) roster: Option<Box<Roster>>,
    /// The roster has what the bus remembered.
    pub(crate) is_roster_read: bool,
    pub(crate) figures: RoomFigures,
    heard: Heard,
    /// The number of what was published here last.
    last_number: u64,
}

/// What a room with history has besides.
#[derive(Debug)]
pub(crate) struct Historic {
    pub(crate) log: Log<Delivery>,
    /// Publishers who wait until their message has been handed on here.
    waiters: Vec<(u64, oneshot::Sender<usize>)>,
    /// To how many sockets the latest were handed: the bus may carry a message here before it
    /// tells its publisher where it is.
    latest: VecDeque<(u64, usize)>,
}

/// How many deliveries are remembered for their publishers.
const MAX_LATEST: usize = 32;

impl Historic {
    pub(crate) fn new(log: Log<Delivery>) -> Self {
        Self {
            log,
            waiters: Vec::new(),
            latest: VecDeque::new(),
        }
    }

    fn note(&mut self, offset: u64, handed: usize) {
        self.waiters.retain(|(_, told)| !told.is_closed());
        let ready = self
            .waiters
            .extract_if(.., |(awaited, _)| *awaited <= offset);
        for (awaited, told) in ready {
            let _ = told.send(if awaited == offset { handed } else { 0 });
        }
        if self.latest.len() == MAX_LATEST {
            self.latest.pop_front();
        }
        self.latest.push_back((offset, handed));
    }
}

impl Cell {
    pub(crate) fn new(name: RoomName) -> Self {
        Self {
            name,
            opening: tokio::sync::Mutex::default(),
            state: Mutex::default(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn topic(&self) -> Topic {
        Topic::Room(self.name.clone())
    }

    /// Hands an event to everybody here who wants it; returns how many sockets took it.
    pub(crate) fn tell(&self, hub: &Shared, state: &mut State, event: &Event) -> usize {
        let mut message: Option<Option<SharedMessage>> = None;
        let gap_message = |gap| (hub.settings.render)(&Event::Gap(gap));
        let (mut handed, mut dropped, mut gaps) = (0, 0, 0);
        for (key, chair) in &mut state.chairs {
            if !chair.wants(event) {
                continue;
            }
            let message =
                message.get_or_insert_with(|| (hub.settings.render)(event).map(SharedMessage::new));
            let had_missed = chair.missed.is_some();
            match chair.hand(event, message.as_ref(), &gap_message) {
                Handed::Over => handed += 1,
                Handed::MadeRoom(older) => {
                    handed += 1;
                    dropped += older;
                }
                Handed::Dropped => dropped += 1,
                Handed::Kept | Handed::Gone => {}
            }
            if chair.missed.is_some() && !had_missed {
                gaps += 1;
                if chair.tells_gaps {
                    hub.note_lagging(&self.name, key);
                }
            }
        }
        for ear in &state.ears {
            ear.hear(event);
        }
        match event {
            Event::Message(_) => {
                add(&hub.figures.delivered, handed as u64);
                add(&hub.figures.dropped, dropped);
                add(&hub.figures.gaps, gaps);
                state.figures.messages += 1;
                state.figures.dropped += dropped;
                state.figures.gaps += gaps;
            }
            Event::Gap(gap) => {
                let told = (state.chairs.len() + state.ears.len()) as u64;
                add(&hub.figures.gaps, told);
                state.figures.gaps += told;
                hub.tell(|observer| observer.gap(&self.name, gap.messages));
            }
            _ => {}
        }
        handed
    }

    pub(crate) fn tell_gap(&self, hub: &Shared, state: &mut State, messages: Option<u64>) {
        if !state.chairs.is_empty() || !state.ears.is_empty() {
            self.tell(hub, state, &Event::Gap(Gap { messages }));
        }
    }

    pub(crate) fn tell_changes(
        &self,
        hub: &Shared,
        state: &mut State,
        changes: impl IntoIterator<Item = Change>,
    ) {
        for change in changes {
            let event = match change {
                Change::Joined(member) => Event::Joined(member),
                Change::Changed(member) => Event::Changed(member),
                Change::Left(member) => Event::Left(member),
            };
            self.tell(hub, state, &event);
        }
    }

    /// Publishes in a room without history: to those here at once, and to the bus in the same
    /// order.
    pub(crate) fn publish(
        &self,
        hub: &Shared,
        delivery: Delivery,
    ) -> (usize, Option<BusFuture<()>>) {
        let mut state = self.lock();
        let number = hub.next_number();
        let previous = std::mem::replace(&mut state.last_number, number);
        let sending = hub.is_shared().then(|| {
            let what = What::Publish {
                number,
                previous,
                except: delivery.except,
                message: delivery.message.clone(),
            };
            hub.bus.publish(&self.topic(), hub.encode(what))
        });
        let handed = self.tell(hub, &mut state, &Event::Message(delivery));
        (handed, sending)
    }

    /// Takes a frame from another node, or from this one where the bus gave it its place.
    pub(crate) fn hear(&self, hub: &Arc<Shared>, frame: Frame, place: Option<Place>) {
        let mut state = self.lock();
        let state = &mut *state;
        match frame.what {
            What::Publish {
                number,
                previous,
                except,
                message,
            } => {
                let delivery = Delivery {
                    message,
                    position: place.map(|place| place.position),
                    except,
                };
                match (place, &mut state.history) {
                    (Some(place), Some(history)) => {
                        let steps = history.log.hear(place, delivery);
                        self.carry_out(hub, state, steps);
                    }
                    // It is stored: the history begins with it once the room is open.
                    (Some(_), None) if state.options.history.is_some() => {}
                    (Some(_), None) => {
                        self.tell(hub, state, &Event::Message(delivery));
                    }
                    (None, _) if frame.origin == hub.node => {}
                    (None, _) => match state.heard.hear(frame.origin, number, previous) {
                        Hearing::Stale => {}
                        hearing => {
                            if hearing == Hearing::AfterHole {
                                self.tell_gap(hub, state, None);
                            }
                            self.tell(hub, state, &Event::Message(delivery));
                        }
                    },
                }
            }
            What::Joined(member) | What::Changed(member) => {
                let change = state.roster.as_mut().and_then(|roster| roster.hear(member));
                self.tell_changes(hub, state, change);
            }
            What::Left(session) => {
                let roster = state.roster.as_mut();
                let change = roster.and_then(|roster| roster.hear_left(session));
                self.tell_changes(hub, state, change);
            }
            What::Gone | What::Disconnect { .. } | What::Broadcast(_) => {}
        }
    }

    pub(crate) fn node_gone(&self, hub: &Shared, node: NodeId) {
        let mut state = self.lock();
        state.heard.forget(node);
        if let Some(roster) = &mut state.roster {
            let changes = roster.node_gone(node);
            self.tell_changes(hub, &mut state, changes);
        }
    }

    /// Takes what a history has, or that it could not be asked.
    pub(crate) fn refill(&self, hub: &Arc<Shared>, replay: Option<Replay>) {
        let mut state = self.lock();
        let Some(history) = &mut state.history else {
            return;
        };
        let Some(replay) = replay else {
            history.log.refill_failed();
            hub.note_retry(&self.name);
            return;
        };
        let epoch = replay.head.epoch;
        let steps = history
            .log
            .refill(&replay, |entry| hub.read_entry(epoch, entry));
        self.carry_out(hub, &mut state, steps);
    }

    /// Something may have been lost on the way here.
    pub(crate) fn doubt(self: &Arc<Self>, hub: &Arc<Shared>) {
        let mut state = self.lock();
        let state = &mut *state;
        match &mut state.history {
            Some(history) => {
                let step = history.log.doubt();
                self.carry_out(hub, state, step);
            }
            None if state.options.history.is_some() => {}
            None => {
                state.heard.hole_told();
                self.tell_gap(hub, state, None);
            }
        }
    }

    /// Asks again what could not be asked.
    pub(crate) fn retry_refill(&self, hub: &Arc<Shared>) {
        let mut state = self.lock();
        let step = state
            .history
            .as_mut()
            .and_then(|history| history.log.retry());
        self.carry_out(hub, &mut state, step);
    }

    /// Waits until a position has been handed on here; yields to how many sockets.
    pub(crate) fn handed_on(&self, offset: u64) -> Option<oneshot::Receiver<usize>> {
        let mut state = self.lock();
        let history = state.history.as_mut()?;
        let (told, telling) = oneshot::channel();
        if history.log.position().offset >= offset {
            let noted = history.latest.iter().find(|(noted, _)| *noted == offset);
            let _ = told.send(noted.map_or(0, |(_, handed)| *handed));
        } else {
            history.waiters.push((offset, told));
        }
        Some(telling)
    }

    pub(crate) fn carry_out(
        &self,
        hub: &Arc<Shared>,
        state: &mut State,
        steps: impl IntoIterator<Item = Step<Delivery>>,
    ) {
        for step in steps {
            match step {
                Step::Deliver(position, delivery) => {
                    let handed = self.tell(hub, state, &Event::Message(delivery));
                    if let Some(history) = &mut state.history {
                        history.note(position.offset, handed);
                    }
                }
                Step::Gap(messages) => self.tell_gap(hub, state, messages),
                Step::Refill => {
                    if let (Some(history), Some(options)) = (&state.history, state.options.history)
                    {
                        hub.start_refill(&self.name, options, history.log.position());
                    }
                }
            }
        }
    }

    /// Tells a member what it missed, now that there may be room; `false` if there is still none.
    pub(crate) fn tell_missed(&self, hub: &Shared, key: usize) -> bool {
        let mut state = self.lock();
        let Some(chair) = state.chairs.get_mut(key) else {
            return true;
        };
        chair.sender.is_closing()
            || chair.tell_missed(&|gap| (hub.settings.render)(&Event::Gap(gap)))
    }
}

/// Keeps a room on this node while it is used.
#[derive(Debug)]
pub(crate) struct Stay {
    pub(crate) hub: Arc<Shared>,
    pub(crate) cell: Arc<Cell>,
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.hub.leave_cell(&self.cell);
    }
}

/// For how long a room may be idle before the node stops to hear it.
pub(crate) fn is_over(idle_since: Option<Instant>, linger: Duration, now: Instant) -> bool {
    idle_since.is_some_and(|since| since + linger <= now)
}

/// Counts rooms that somebody is in.
pub(crate) fn count_room(hub: &Shared, was_empty: bool, is_empty: bool) {
    match (was_empty, is_empty) {
        (true, false) => drop(hub.figures.rooms.fetch_add(1, Ordering::Relaxed)),
        (false, true) => drop(hub.figures.rooms.fetch_sub(1, Ordering::Relaxed)),
        _ => {}
    }
}
