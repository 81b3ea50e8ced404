//! What a handler does to its session.

use std::time::Instant;

use bytes::Bytes;
use bytestring::ByteString;

use super::state::Engine;
use crate::{
    message::{
        CloseCode, CloseFrame, Error, ErrorKind, Initiator, MAX_CONTROL_BYTES, Message, Phase,
        Result, SharedMessage,
    },
    policy::SlowClient,
    session::engine::{inbound::Inbound, outgoing::Outgoing, queue::Removed},
};

/// What became of a message that was to be written.
#[derive(Debug)]
pub(crate) enum Admission {
    /// It is queued, or was dropped by the policy and counted.
    Done,
    /// There is no room; try again when there is.
    Wait(Message),
}

/// What became of a message that many sockets were sent.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It is queued.
    Queued,
    /// It is queued, and so many older messages were dropped to make room for it: they are part of
    /// the socket's gap.
    MadeRoom(u64),
    /// There was no room: it was dropped for this socket, and is part of its gap.
    Dropped,
}

impl Engine {
    /// The next message for the handler; the inner `None` is the end, the outer `None` means that
    /// there is nothing yet.
    #[inline]
    pub(crate) fn read(&mut self) -> Option<Option<Result<Message>>> {
        match self.inbound.pop() {
            Some(item) => {
                self.is_at_work = true;
                self.is_read_awaited = false;
                Some(Some(item))
            }
            // In the handler's turn, somebody else is before those that it has in hand.
            None if self.is_in_hand => None,
            None if self.input_ended || self.has_drain_to_hear() => Some(None),
            None => None,
        }
    }

    /// Everything that the handler could read at once. It reads one now and has the others in hand until its
    /// turn is over.
    pub(crate) fn read_all(&mut self) -> Inbound {
        if !self.inbound.is_empty() {
            self.is_at_work = true;
            self.is_read_awaited = false;
        }
        self.is_in_hand = self.inbound.len() > 1;
        std::mem::take(&mut self.inbound)
    }

    /// Takes back what the handler had in hand and has not read. Nobody else has read meanwhile.
    pub(crate) fn unread(&mut self, mut unread: Inbound) {
        self.is_in_hand = false;
        unread.append(&mut self.inbound);
        self.inbound = unread;
        if self.reader_gone {
            self.drop_inbound();
        }
    }

    /// There is nothing to read, and the handler waits; `true` if a large message was left with the
    /// peer until then.
    #[inline]
    pub(crate) fn await_read(&mut self) -> bool {
        let held_large = self.holds_large();
        self.is_read_awaited = true;
        held_large
    }

    /// From here on the handler's input ends with a drain, which waits until the handler has ended,
    /// or waits for input.
    pub(crate) fn hear_drains(&mut self) {
        self.hears_drains = true;
    }

    /// Queues a message under the route's slow-client policy, or the given one. Where others wait
    /// for room before it, there is none for it. The clock is read only when a refusal begins the
    /// end.
    // Every message takes this way: out of line, it would be copied on the way in and out.
    #[inline(always)]
    pub(crate) fn write(
        &mut self,
        message: Message,
        policy: Option<SlowClient>,
        is_behind_others: bool,
        now: impl Fn() -> Instant,
    ) -> Result<Admission> {
        if let Err(refusal) = self.check_write(&message, &now) {
            self.discard(message);
            return Err(refusal);
        }
        let bytes = message.payload_bytes();
        let policy = policy.unwrap_or(self.limits.slow_client);
        let has_room = !is_behind_others
            && (match policy {
                SlowClient::Wait => self.has_room_for_patient(bytes),
                _ => self.queue.has_room(&self.limits, bytes, self.unsent_bytes),
            } || (!policy.drops() && self.displace(bytes)));
        if has_room {
            self.queue.push(message, !policy.drops());
            return Ok(Admission::Done);
        }
        self.write_without_room(message, policy, now)
    }

    /// Makes room for a message that stays, which goes before what was sent with less care.
    #[cold]
    fn displace(&mut self, payload_bytes: usize) -> bool {
        let (limits, behind) = (&*self.limits, self.unsent_bytes);
        let makes_room = !self.queue.has_room(limits, payload_bytes, behind)
            && self.queue.can_make_room(limits, payload_bytes, behind);
        if makes_room {
            let removed = self.queue.make_room(limits, payload_bytes, behind);
            self.count_removed(removed);
        }
        makes_room
    }

    /// Queues a message in the place of a waiting one with the same key, or in one of the places
    /// that keys have.
    pub(crate) fn write_latest(
        &mut self,
        message: Message,
        key: &ByteString,
        now: impl Fn() -> Instant,
    ) -> Result<Admission> {
        if let Err(refusal) = self.check_write(&message, &now) {
            self.queue.discard(message);
            return Err(refusal);
        }
        if self
            .queue
            .has_place(&self.limits, key, message.payload_bytes())
        {
            let removed = self.queue.push_latest(message, key.clone());
            self.count_removed(removed);
            return Ok(Admission::Done);
        }
        let policy = match self.limits.slow_client {
            // What is older is of other keys: the latest of them too.
            SlowClient::DropOldest => SlowClient::DropNewest,
            policy => policy,
        };
        self.write_without_room(message, policy, now)
    }

    /// Queues a message that many sessions send. Nobody waits for a slow one among them: where the
    /// policy is to wait, the message is dropped.
    pub(crate) fn write_shared(
        &mut self,
        message: &SharedMessage,
        is_behind_others: bool,
        now: impl Fn() -> Instant,
    ) -> Result<Delivery> {
        self.check_write(message.message(), &now)?;
        let bytes = message.payload_bytes();
        let behind = self.unsent_bytes;
        if !is_behind_others && self.queue.has_room(&self.limits, bytes, behind) {
            let stays = !self.limits.slow_client.drops();
            self.queue.push(Outgoing::Shared(message.clone()), stays);
            return Ok(Delivery::Queued);
        }
        match self.limits.slow_client {
            SlowClient::DropOldest if self.queue.can_make_room(&self.limits, bytes, behind) => {
                let removed = self.queue.make_room(&self.limits, bytes, behind);
                let dropped = removed.messages;
                self.count_removed(removed);
                self.queue.push(Outgoing::Shared(message.clone()), false);
                Ok(Delivery::MadeRoom(dropped))
            }
            SlowClient::Wait | SlowClient::DropNewest | SlowClient::DropOldest => {
                self.count_removed(Removed {
                    messages: 1,
                    bytes: bytes as u64,
                });
                Ok(Delivery::Dropped)
            }
            SlowClient::Error => Err(backpressure()),
            SlowClient::Close => Err(self.close_for_slowness(now)),
        }
    }

    /// Queues a ping of the handler's, ahead of data.
    pub(crate) fn ping(&mut self, payload: Bytes) -> Result<()> {
        self.write_control(Message::Ping(payload))
    }

    /// Queues a pong that nobody asked for, ahead of data.
    pub(crate) fn pong(&mut self, payload: Bytes) -> Result<()> {
        self.write_control(Message::Pong(payload))
    }

    fn write_control(&mut self, message: Message) -> Result<()> {
        let bytes = message.payload_bytes();
        let refusal = if bytes > MAX_CONTROL_BYTES {
            Err(Error::new(
                ErrorKind::InvalidInput,
                "WHARF_PING_TOO_LARGE",
                format!(
                    "a {} of {bytes} bytes does not fit; send at most {MAX_CONTROL_BYTES}",
                    message.kind()
                ),
            ))
        } else {
            self.check_open()
        };
        match refusal {
            Ok(()) => self.queue.push_control(message),
            Err(_) => self.queue.discard(message),
        }
        refusal
    }

    /// Begins the end for the handler.
    pub(crate) fn close(&mut self, frame: CloseFrame, now: Instant) {
        self.begin_close(frame, Initiator::Handler, now);
        self.end.refuse_writes();
    }

    /// The socket is dropped: nobody will read.
    pub(crate) fn leave(&mut self, now: impl Fn() -> Instant) {
        self.reader_gone = true;
        self.drop_inbound();
        if self.is_draining() {
            self.handle_waiting_reader(&now);
        }
        if self.ends_when_left {
            let frame = CloseFrame::cut(CloseCode::GOING_AWAY, "");
            self.begin_close(frame, Initiator::Handler, now());
            self.end.refuse_writes();
        }
    }

    /// What was dropped since the last call.
    pub(crate) fn take_gap(&mut self) -> Removed {
        let rare = self.rare.as_mut();
        rare.map_or_else(Removed::default, |rare| std::mem::take(&mut rare.gap))
    }

    /// Whether messages were dropped since [`take_gap`](Self::take_gap).
    pub(crate) fn has_gap(&self) -> bool {
        let rare = self.rare.as_deref();
        rare.is_some_and(|rare| rare.gap.messages > 0)
    }

    /// Whether a message of this size that waits for room would be queued, or refused, now.
    pub(crate) fn has_room(&self, payload_bytes: usize) -> bool {
        self.end.refuses_writes() || self.has_room_for_patient(payload_bytes)
    }

    /// Whether there is room for what can wait.
    #[inline]
    fn has_room_for_patient(&self, payload_bytes: usize) -> bool {
        let max_bytes = self.limits.patient_queue_bytes;
        self.queue
            .has_room_within(&self.limits, max_bytes, payload_bytes, self.unsent_bytes)
    }

    /// Whether writing is over.
    pub(crate) fn refuses_writes(&self) -> bool {
        self.end.refuses_writes()
    }

    /// Does what the slow-client policy says with a message that finds the queue full.
    #[cold]
    fn write_without_room(
        &mut self,
        message: Message,
        policy: SlowClient,
        now: impl Fn() -> Instant,
    ) -> Result<Admission> {
        let bytes = message.payload_bytes();
        match policy {
            SlowClient::Wait => return Ok(Admission::Wait(message)),
            SlowClient::Error => {
                self.queue.discard(message);
                return Err(backpressure());
            }
            SlowClient::DropOldest
                if self
                    .queue
                    .can_make_room(&self.limits, bytes, self.unsent_bytes) =>
            {
                let removed = self.queue.make_room(&self.limits, bytes, self.unsent_bytes);
                self.count_removed(removed);
                self.queue.push(message, false);
            }
            // Under drop-oldest, nothing older may be dropped: the new message is.
            SlowClient::DropNewest | SlowClient::DropOldest => {
                self.queue.discard(message);
                self.count_removed(Removed {
                    messages: 1,
                    bytes: bytes as u64,
                });
            }
            SlowClient::Close => {
                self.queue.discard(message);
                return Err(self.close_for_slowness(now));
            }
        }
        Ok(Admission::Done)
    }

    /// Closes a session whose peer reads too slowly.
    fn close_for_slowness(&mut self, now: impl Fn() -> Instant) -> Error {
        let frame = CloseFrame::cut(CloseCode::TRY_AGAIN, "the send queue is full");
        self.note_failure(backpressure().in_phase(Phase::Session));
        self.begin_close(frame, Initiator::Server, now());
        // One message too many is one failure; the next writer hears that it is closed.
        self.end.refuse_writes();
        backpressure()
    }

    #[inline]
    fn check_write(&mut self, message: &Message, now: impl Fn() -> Instant) -> Result<()> {
        if !message.is_data() {
            return Err(control_write(message));
        }
        self.check_open()?;
        let bytes = message.payload_bytes();
        if bytes > self.limits.max_outbound_message_bytes {
            return Err(self.close_for_size(bytes, now()));
        }
        Ok(())
    }

    /// Closes a session whose handler writes too large a message.
    #[cold]
    fn close_for_size(&mut self, bytes: usize, now: Instant) -> Error {
        let limit = self.limits.max_outbound_message_bytes;
        let error = || {
            Error::new(
                ErrorKind::TooLarge,
                "WHARF_OUTBOUND_TOO_LARGE",
                format!(
                    "a message of {bytes} bytes is over the outbound limit of {limit}; send less \
                     or raise max_outbound_message_bytes"
                ),
            )
        };
        let frame = CloseFrame::cut(CloseCode::TOO_BIG, "the server's message is too big");
        self.note_failure(error().in_phase(Phase::Handler));
        self.begin_close(frame, Initiator::Server, now);
        self.end.refuse_writes();
        error()
    }

    fn check_open(&self) -> Result<()> {
        if self.end.refuses_writes() {
            return Err(Error::closed());
        }
        Ok(())
    }

    fn count_removed(&mut self, removed: Removed) {
        if removed == Removed::default() {
            return;
        }
        let rare = self.rare();
        rare.messages_dropped += removed.messages;
        rare.gap.messages += removed.messages;
        rare.gap.bytes += removed.bytes;
    }
}

#[cold]
fn control_write(message: &Message) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "WHARF_CONTROL_WRITE",
        format!(
            "a {} message cannot be written; write text or binary, and use ping() or close() for \
             control frames",
            message.kind()
        ),
    )
}

#[cold]
pub(crate) fn backpressure() -> Error {
    Error::new(
        ErrorKind::Backpressure,
        "WHARF_BACKPRESSURE",
        "the send queue is full; wait for room, send less or choose another slow-client policy",
    )
}
