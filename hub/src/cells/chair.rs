//! One member's place in a room on this node.

use std::collections::VecDeque;

use wharf_sdk::{Delivery, ErrorKind, Message, Sender, SharedMessage};

use crate::words::{Event, Gap, Position, SessionId};

/// What waits for a member whose history is still being read; more is a gap.
const MAX_WAITING: usize = 4096;

#[derive(Debug)]
pub(crate) struct Chair {
    pub(crate) session: SessionId,
    pub(crate) sender: Sender,
    pub(crate) tells_presence: bool,
    pub(crate) tells_gaps: bool,
    /// What could not be handed over and has not been told.
    pub(crate) missed: Option<Gap>,
    /// The session drops its oldest messages for new ones, so that these need not wait until the
    /// gap has been told.
    pub(crate) drops_oldest: bool,
    /// How much waited for the member when it began to miss something.
    pub(crate) queued_then: usize,
    /// What happens while the member is sent what it missed.
    pub(crate) waiting: Option<Box<Waiting>>,
    /// How far the history went that it was sent: what is live may still be behind that.
    pub(crate) caught_up_to: Option<Position>,
}

#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) events: VecDeque<Event>,
    pub(crate) missed: u64,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handed {
    Over,
    /// So many older ones were dropped for it.
    MadeRoom(u64),
    /// It waits until the member has what came before.
    Kept,
    /// The member reads too slowly.
    Dropped,
    Gone,
}

impl Chair {
    pub(crate) fn wants(&self, event: &Event) -> bool {
        match event {
            Event::Message(delivery) => delivery.except != Some(self.session),
            Event::Gap(_) => true,
            // Who sits down or gets up knows it.
            Event::Joined(member) | Event::Left(member) => {
                self.tells_presence && member.session != self.session
            }
            Event::Changed(_) => self.tells_presence,
        }
    }

    /// Hands an event over, or what it looks like as a message; behind what was missed before.
    pub(crate) fn hand(
        &mut self,
        event: &Event,
        message: Option<&SharedMessage>,
        gap_message: &impl Fn(Gap) -> Option<Message>,
    ) -> Handed {
        if let Some(waiting) = &mut self.waiting {
            if waiting.events.len() < MAX_WAITING && waiting.missed == 0 {
                waiting.events.push_back(event.clone());
                return Handed::Kept;
            }
            waiting.missed += 1;
            return Handed::Dropped;
        }
        if self.knows(event) {
            return Handed::Kept;
        }
        if let Event::Gap(gap) = event {
            self.miss(gap.messages);
            return match self.tell_missed(gap_message) {
                true => Handed::Over,
                false => Handed::Kept,
            };
        }
        let Some(message) = message else {
            return Handed::Kept;
        };
        let is_clear = self.missed.is_none()
            || !self.tells_gaps
            || self.drops_oldest
            || self.tell_missed(gap_message);
        let handed = match is_clear {
            true => share(&self.sender, message),
            false => Handed::Dropped,
        };
        match handed {
            Handed::Dropped => self.miss(Some(1)),
            Handed::MadeRoom(dropped) => {
                self.drops_oldest = true;
                self.miss(Some(dropped));
            }
            _ => {}
        }
        handed
    }

    /// Whether the member was sent this as a part of the history.
    fn knows(&self, event: &Event) -> bool {
        match (event, self.caught_up_to) {
            (
                Event::Message(crate::words::Delivery {
                    position: Some(position),
                    ..
                }),
                Some(known),
            ) => position.epoch == known.epoch && position.offset <= known.offset,
            _ => false,
        }
    }

    /// Notes a gap that is to be told; `None` is one of unknown size.
    pub(crate) fn miss(&mut self, messages: Option<u64>) {
        if self.missed.is_none() {
            self.queued_then = self.sender.queued_bytes();
        }
        let messages = match (self.missed, messages) {
            (Some(before), Some(more)) => before.messages.map(|before| before + more),
            (None, messages) => messages,
            (_, None) => None,
        };
        self.missed = Some(Gap { messages });
    }

    /// Tells the gap to a member that is sent gaps; `false` if it is too early. Half of what waited
    /// must be gone, or it would be told of one gap after the other.
    pub(crate) fn tell_missed(&mut self, gap_message: &impl Fn(Gap) -> Option<Message>) -> bool {
        let Some(gap) = self.missed.filter(|_| self.tells_gaps) else {
            return true;
        };
        if gap.messages.is_some() && self.sender.queued_bytes() > self.queued_then / 2 {
            return false;
        }
        let handed =
            gap_message(gap).map_or(Handed::Over, |message| hand_over(&self.sender, &message));
        if handed != Handed::Dropped {
            self.missed = None;
        }
        handed != Handed::Dropped
    }
}

/// Queues a message that many sessions are sent: its frame is made once for all of them. Never
/// waits.
pub(crate) fn share(sender: &Sender, message: &SharedMessage) -> Handed {
    match sender.try_send_shared(message) {
        Ok(Delivery::Queued) => Handed::Over,
        Ok(Delivery::MadeRoom(dropped)) => Handed::MadeRoom(dropped),
        Ok(_) => Handed::Dropped,
        Err(error) if error.kind() == ErrorKind::Backpressure => Handed::Dropped,
        Err(_) => Handed::Gone,
    }
}

/// Queues a message for one session, and never waits.
pub(crate) fn hand_over(sender: &Sender, message: &Message) -> Handed {
    match sender.try_send(message.clone()) {
        Ok(()) => Handed::Over,
        Err(error) if error.kind() == ErrorKind::Backpressure => Handed::Dropped,
        Err(_) => Handed::Gone,
    }
}
