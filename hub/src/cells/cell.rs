//! A room on this node: who sits in it, and what they are told.

use std::sync::{Arc, Mutex, MutexGuard};

use slab::Slab;
use tokio::{sync::oneshot, time::Instant};
use wharf_sdk::SharedMessage;

use crate::{
    bus::{BusFuture, Place, Replay},
    cells::{
        chair::{Chair, Handed},
        ear::Ear,
        historic::Historic,
    },
    ground::{Node, RoomFigures, RoomOptions, add},
    state::{Change, Frame, Heard, Hearing, Roster, Step, Turn, What},
    words::{Delivery, Event, Gap, History, NodeId, Position, RoomName, Topic, lock},
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

impl Cell {
    pub(crate) fn new(name: RoomName) -> Self {
        Self {
            name,
            opening: tokio::sync::Mutex::default(),
            state: Mutex::default(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(crate) fn topic(&self) -> Topic {
        Topic::Room(self.name.clone())
    }

    /// Hands an event to everybody here who wants it; returns how many sockets took it.
    pub(crate) fn tell(&self, node: &Node, state: &mut State, event: &Event) -> usize {
        let mut message: Option<Option<SharedMessage>> = None;
        let gap_message = |gap| (node.settings.render)(&Event::Gap(gap));
        let (mut handed, mut dropped, mut gaps) = (0, 0, 0);
        for (key, chair) in &mut state.chairs {
            if !chair.wants(event) {
                continue;
            }
            let message = message
                .get_or_insert_with(|| (node.settings.render)(event).map(SharedMessage::new));
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
                    node.note_lagging(&self.name, key);
                }
            }
        }
        for ear in &state.ears {
            ear.hear(event);
        }
        match event {
            Event::Message(_) => {
                add(&node.figures.delivered, handed as u64);
                add(&node.figures.dropped, dropped);
                add(&node.figures.gaps, gaps);
                state.figures.messages += 1;
                state.figures.dropped += dropped;
                state.figures.gaps += gaps;
            }
            Event::Gap(gap) => {
                let told = (state.chairs.len() + state.ears.len()) as u64;
                add(&node.figures.gaps, told);
                state.figures.gaps += told;
                node.tell(|observer| observer.gap(&self.name, gap.messages));
            }
            _ => {}
        }
        handed
    }

    pub(crate) fn tell_gap(&self, node: &Node, state: &mut State, messages: Option<u64>) {
        if !state.chairs.is_empty() || !state.ears.is_empty() {
            self.tell(node, state, &Event::Gap(Gap { messages }));
        }
    }

    pub(crate) fn tell_changes(
        &self,
        node: &Node,
        state: &mut State,
        changes: impl IntoIterator<Item = Change>,
    ) {
        for change in changes {
            let event = match change {
                Change::Joined(member) => Event::Joined(member),
                Change::Changed(member) => Event::Changed(member),
                Change::Left(member) => Event::Left(member),
            };
            self.tell(node, state, &event);
        }
    }

    /// Publishes in a room without history: to those here at once, and to the bus in the same
    /// order.
    pub(crate) fn publish(
        &self,
        node: &Node,
        delivery: Delivery,
    ) -> (usize, Option<BusFuture<()>>) {
        let mut state = self.lock();
        let number = node.next_number();
        let previous = std::mem::replace(&mut state.last_number, number);
        let sending = node.is_shared().then(|| {
            let what = What::Publish {
                previous,
                except: delivery.except,
                message: delivery.message.clone(),
            };
            node.bus
                .publish(&self.topic(), node.encode_as(number, what))
        });
        let handed = self.tell(node, &mut state, &Event::Message(delivery));
        (handed, sending)
    }

    /// Takes a frame from another node, or from this one where the bus gave it its place.
    pub(crate) fn hear(self: &Arc<Self>, node: &Arc<Node>, frame: Frame, place: Option<Place>) {
        let mut state = self.lock();
        let state = &mut *state;
        let Frame {
            origin,
            number,
            what,
        } = frame;
        match what {
            What::Publish {
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
                        self.carry_out(node, state, steps);
                    }
                    // It is stored: the history begins with it once the room is open.
                    (Some(_), None) if state.options.history.is_some() => {}
                    (Some(_), None) => {
                        self.tell(node, state, &Event::Message(delivery));
                    }
                    (None, _) if origin == node.id => {}
                    (None, _) => match state.heard.hear(origin, number, previous) {
                        Hearing::Stale => {}
                        hearing => {
                            if hearing == Hearing::AfterHole {
                                self.tell_gap(node, state, None);
                            }
                            self.tell(node, state, &Event::Message(delivery));
                        }
                    },
                }
            }
            What::Joined(_) | What::Changed(_) | What::Left(_) => {
                let Some(roster) = &mut state.roster else {
                    return;
                };
                let change = match (roster.place(origin, number), what) {
                    (Turn::Next, What::Joined(member) | What::Changed(member)) => {
                        roster.hear(member)
                    }
                    (Turn::Next, What::Left(session)) => roster.hear_left(session),
                    (Turn::Late, _) => {
                        // What came before it was told, so only the bus knows what holds now.
                        state.is_roster_read = false;
                        node.note_unread(&self.name);
                        None
                    }
                    _ => None,
                };
                self.tell_changes(node, state, change);
            }
            What::Gone | What::Here | What::Disconnect { .. } | What::Broadcast(_) => {}
        }
    }

    pub(crate) fn node_gone(&self, node: &Node, gone: NodeId) {
        let mut state = self.lock();
        state.heard.forget(gone);
        if let Some(roster) = &mut state.roster {
            let changes = roster.node_gone(gone);
            self.tell_changes(node, &mut state, changes);
        }
    }

    /// Takes what a history has, or that it could not be asked.
    pub(crate) fn refill(self: &Arc<Self>, node: &Arc<Node>, replay: Option<Replay>) {
        let mut state = self.lock();
        let Some(history) = &mut state.history else {
            return;
        };
        let Some(replay) = replay else {
            history.log.refill_failed();
            node.note_retry(&self.name);
            return;
        };
        let epoch = replay.head.epoch;
        let steps = history
            .log
            .refill(&replay, |entry| node.read_entry(epoch, entry));
        self.carry_out(node, &mut state, steps);
    }

    /// Something may have been lost on the way here.
    pub(crate) fn doubt(self: &Arc<Self>, node: &Arc<Node>) {
        let mut state = self.lock();
        let state = &mut *state;
        match &mut state.history {
            Some(history) => {
                let step = history.log.doubt();
                self.carry_out(node, state, step);
            }
            None if state.options.history.is_some() => {}
            None => {
                state.heard.hole_told();
                self.tell_gap(node, state, None);
            }
        }
    }

    /// Asks again what could not be asked.
    pub(crate) fn retry_refill(self: &Arc<Self>, node: &Arc<Node>) {
        let mut state = self.lock();
        let step = state
            .history
            .as_mut()
            .and_then(|history| history.log.retry());
        self.carry_out(node, &mut state, step);
    }

    /// Waits until a position has been handed on here; yields to how many sockets.
    pub(crate) fn handed_on(&self, offset: u64) -> Option<oneshot::Receiver<usize>> {
        let mut state = self.lock();
        Some(state.history.as_mut()?.when_handed_on(offset))
    }

    pub(crate) fn carry_out(
        self: &Arc<Self>,
        node: &Arc<Node>,
        state: &mut State,
        steps: impl IntoIterator<Item = Step<Delivery>>,
    ) {
        for step in steps {
            match step {
                Step::Deliver(position, delivery) => {
                    let handed = self.tell(node, state, &Event::Message(delivery));
                    if let Some(history) = &mut state.history {
                        history.note(position.offset, handed);
                    }
                }
                Step::Gap(messages) => self.tell_gap(node, state, messages),
                Step::Refill => {
                    if let (Some(history), Some(options)) = (&state.history, state.options.history)
                    {
                        self.start_refill(node, options, history.log.position());
                    }
                }
            }
        }
    }

    /// Asks the bus what came after a position.
    fn start_refill(self: &Arc<Self>, node: &Arc<Node>, history: History, since: Position) {
        let replaying = node.bus.replay(&self.name, history, Some(since));
        let (node, cell) = (Arc::clone(node), Arc::clone(self));
        tokio::spawn(async move {
            let replay = node.call(replaying).await.ok();
            cell.refill(&node, replay);
        });
    }

    /// Tells a member what it missed, now that there may be room; `false` if there is still none.
    pub(crate) fn tell_missed(&self, node: &Node, key: usize) -> bool {
        let mut state = self.lock();
        let Some(chair) = state.chairs.get_mut(key) else {
            return true;
        };
        chair.sender.is_closing()
            || chair.tell_missed(&|gap| (node.settings.render)(&Event::Gap(gap)))
    }
}
