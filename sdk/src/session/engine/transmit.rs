//! What leaves next.

use super::{
    heartbeat::Ping,
    queue::{Outbound, Queued},
    state::Engine,
};
use crate::message::Message;

/// How many messages and payload bytes are taken at a time. What waits in the queue meanwhile can
/// still be reordered and dropped.
const BATCH_MESSAGES: usize = 256;
const BATCH_BYTES: usize = 64 * 1024;

impl Engine {
    /// Puts what is sent next behind what is in hand; `true` if there is more. It counts as unsent
    /// until [`handle_flush`](Self::handle_flush) says what became of it.
    pub(crate) fn take_batch(&mut self, in_hand: &mut Outbound) -> bool {
        if self.end.is_close_sent() || self.end.is_aborted() {
            return false;
        }
        if in_hand.is_empty()
            && !self.has_control()
            && self.queue.messages() <= BATCH_MESSAGES
            && self.queue.bytes() <= BATCH_BYTES
        {
            // As nearly always: the queue changes hands as it is.
            let bytes = self.queue.bytes();
            self.counts.messages_out += self.queue.messages() as u64;
            self.counts.bytes_out += bytes as u64;
            self.unsent_bytes += bytes;
            self.queue.take_data(in_hand);
            if !self.end.is_close_queued() {
                return false;
            }
        }
        let mut bytes = 0;
        while bytes < BATCH_BYTES && in_hand.len() < BATCH_MESSAGES {
            let Some(next) = self.poll_transmit() else {
                break;
            };
            bytes += next.message.payload_bytes();
            in_hand.push_back(next);
        }
        self.has_output()
    }

    /// Takes the empty list back, for what is written next. While a ping is out, nothing has been
    /// for a while: then it is let go, as everything was before the ping.
    pub(crate) fn give_back(&mut self, in_hand: Outbound) {
        if self.heartbeat.ping() == Ping::None {
            self.queue.give_back(in_hand);
        }
    }

    /// The next message to hand to the transport.
    pub(super) fn poll_transmit(&mut self) -> Option<Queued> {
        if self.end.is_close_sent() || self.end.is_aborted() {
            return None;
        }
        if self.end.is_close_queued() {
            // The handler had its turn; what it writes from now on would delay the close forever.
            self.end.refuse_writes();
        }
        let control = self.take_due_ping().or_else(|| self.queue.pop_control());
        let next = match control {
            Some(control) => control.into(),
            None => match self.queue.pop_data() {
                Some(data) => {
                    self.counts.messages_out += 1;
                    self.counts.bytes_out += data.message.payload_bytes() as u64;
                    data
                }
                None => Message::Close(self.end.take_close()?).into(),
            },
        };
        self.unsent_bytes += next.message.payload_bytes();
        Some(next)
    }

    /// Whether [`take_batch`](Self::take_batch) would yield something.
    #[inline]
    pub(crate) fn has_output(&self) -> bool {
        !self.end.is_close_sent()
            && !self.end.is_aborted()
            && (self.has_control() || self.queue.has_data() || self.end.is_close_queued())
    }

    #[inline]
    fn has_control(&self) -> bool {
        self.heartbeat.is_due || self.queue.has_control()
    }
}
