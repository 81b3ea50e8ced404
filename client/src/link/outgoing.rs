//! What a link sends: what waits, and what nobody knows to have arrived. Without IO or clock.
//!
//! A pong proves that everything before its ping was read by the other side. So a ping follows
//! what was written, one at a time, and what lies behind the last pong when a connection breaks is
//! what may be lost.

use std::collections::VecDeque;

use wharf_sdk::Message;

#[derive(Debug)]
pub(super) struct Outgoing {
    max_messages: usize,
    max_bytes: usize,
    waiting: VecDeque<Message>,
    waiting_bytes: usize,
    /// How many were handed to this connection.
    handed: u64,
    /// How many of these are known to have arrived.
    confirmed: u64,
    /// The ping under way: its number, and how many had been handed over before it.
    ping: Option<(u64, u64)>,
    pings: u64,
}

impl Outgoing {
    pub(super) fn new(max_messages: usize, max_bytes: usize) -> Self {
        Self {
            max_messages,
            max_bytes,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            handed: 0,
            confirmed: 0,
            ping: None,
            pings: 0,
        }
    }

    /// Whether a message of this size would be taken. One that is larger than the whole queue is
    /// taken alone.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.waiting.is_empty()
            || (self.waiting.len() < self.max_messages
                && self.waiting_bytes.saturating_add(bytes) <= self.max_bytes)
    }

    pub(super) fn push(&mut self, message: Message) {
        self.waiting_bytes += message.payload_bytes();
        self.waiting.push_back(message);
    }

    /// The message to hand over next; it waits until [`handed_over`](Self::handed_over).
    pub(super) fn next(&self) -> Option<&Message> {
        self.waiting.front()
    }

    /// The connection has taken the next message.
    pub(super) fn handed_over(&mut self) {
        if let Some(message) = self.waiting.pop_front() {
            self.waiting_bytes -= message.payload_bytes();
            self.handed += 1;
        }
    }

    /// Everything that was handed over has left: the payload of a ping that follows it, unless
    /// there is one under way or nothing to ask for.
    pub(super) fn poll_ping(&mut self) -> Option<[u8; 8]> {
        if self.ping.is_some() || self.confirmed == self.handed {
            return None;
        }
        self.pings += 1;
        self.ping = Some((self.pings, self.handed));
        Some(self.pings.to_be_bytes())
    }

    /// A pong came. Others' payloads are passed over.
    pub(super) fn handle_pong(&mut self, payload: &[u8]) {
        if let Some((number, handed)) = self.ping
            && *payload == number.to_be_bytes()
        {
            self.confirmed = handed;
            self.ping = None;
        }
    }

    /// The connection has ended; returns how many messages may be lost.
    pub(super) fn handle_end(&mut self) -> u64 {
        let unconfirmed = self.handed - self.confirmed;
        self.handed = 0;
        self.confirmed = 0;
        self.ping = None;
        unconfirmed
    }

    /// Drops what waits; returns how many messages there were.
    pub(super) fn clear(&mut self) -> u64 {
        self.waiting_bytes = 0;
        let waiting = std::mem::take(&mut self.waiting);
        waiting.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_bounded_both_ways() {
        let mut outgoing = Outgoing::new(2, 10);
        assert!(outgoing.has_room(100), "too large for the queue, and alone");
        outgoing.push("12345".into());
        assert!(outgoing.has_room(5) && !outgoing.has_room(6));
        outgoing.push("1".into());
        assert!(!outgoing.has_room(0));
        assert_eq!(outgoing.clear(), 2);
        assert!(outgoing.has_room(10));
    }

    #[test]
    fn only_what_lies_behind_the_last_pong_may_be_lost() {
        let mut outgoing = Outgoing::new(9, 99);
        for text in ["a", "bb", "ccc"] {
            outgoing.push(text.into());
        }
        assert_eq!(outgoing.poll_ping(), None, "nothing was handed over");
        outgoing.handed_over();
        let ping = outgoing.poll_ping().expect("something to ask for");
        outgoing.handed_over();
        assert_eq!(outgoing.poll_ping(), None, "one is under way");
        outgoing.handle_pong(b"");
        outgoing.handle_pong(b"heartbeat");
        assert!(outgoing.ping.is_some());
        outgoing.handle_pong(&ping);
        assert_eq!(outgoing.handle_end(), 1);
        assert_eq!(outgoing.next(), Some(&"ccc".into()), "it still waits");
        outgoing.handle_pong(&ping);
        assert_eq!(outgoing.handle_end(), 0);
    }
}
