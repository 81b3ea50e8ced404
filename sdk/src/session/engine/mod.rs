//! The session as a state machine: no IO, no clock, no waker.
//!
//! Methods come in families. `handle_*` take events in: what the peer sent, what was flushed, that
//! time passed, how the handler ended. Commands (`read`, `write`, `close`, …) come from the
//! handler's side. `poll_*` and the getters tell the loop around the engine what to do next:
//! transmit this, read or not, wake at that instant, drop the connection.
//!
//! The loop calls them in this order: input events and expired timers, then the handler, then
//! [`Engine::poll_transmit`] until it is empty, then [`Engine::handle_flush`]. Because the handler
//! has its turn between an event and the output, what it answers to messages that came with a
//! close or a violation leaves before the close frame does.

mod commands;
mod ending;
mod events;
mod heartbeat;
mod progress;
#[cfg(any(test, fuzzing))]
pub(crate) mod properties;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

pub(crate) use self::{
    commands::{Admission, backpressure},
    ending::Stage,
};
use self::{ending::End, heartbeat::Heartbeat};
use super::timer::{Timer, TimerTable};
use crate::{
    error::{Error, Result},
    message::Message,
    policy::{Bucket, Limits},
    queue::{Removed, SendQueue},
    transport::Unfinished,
};

/// How many messages are read ahead of the handler, so that pings and a close behind them are
/// seen; beyond it TCP holds the peer back.
const READ_AHEAD_MESSAGES: usize = 64;

/// The same in bytes; one message may exceed it.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// A peer that takes this much while the write deadline runs is slow, not dead.
const PROGRESS_BYTES: u64 = 16 * 1024;

#[derive(Debug)]
pub(crate) struct Engine {
    limits: Arc<Limits>,
    timers: TimerTable,
    heartbeat: Heartbeat,
    end: End,
    counts: Counts,

    inbound: VecDeque<Result<Message>>,
    inbound_bytes: usize,
    /// How many of them, from the front, hold nothing but themselves.
    compact_inbound: usize,
    /// Nothing more will be pushed to `inbound`.
    input_ended: bool,
    /// Nobody will read: data is discarded.
    reader_gone: bool,
    bucket: Option<Bucket>,
    /// The message that waits for tokens.
    stalled: Option<Message>,
    /// When something last came from the peer.
    heard_at: Instant,
    /// When a data message last came.
    data_at: Instant,
    /// What the idle timer last saw of a message under way.
    idle_mark: Unfinished,

    queue: SendQueue,
    unsent_bytes: usize,
    taken_bytes: u64,
    /// How much had been sent when the write deadline was last set.
    sent_mark: u64,
    gap: Removed,

    /// For observers, in order.
    failures: Vec<Error>,
    /// The handler outlived its connection for too long.
    grace_over: bool,
}

/// What a session moved.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Text and binary messages read from the peer.
    pub messages_in: u64,
    /// Their payload bytes.
    pub bytes_in: u64,
    /// Text and binary messages handed to the transport.
    pub messages_out: u64,
    /// Their payload bytes.
    pub bytes_out: u64,
    /// Messages that the slow-client policy dropped or replaced by a later one of their key.
    pub messages_dropped: u64,
}

impl Engine {
    pub(crate) fn new(limits: Arc<Limits>, expires_at: Option<Instant>, now: Instant) -> Self {
        let mut timers = TimerTable::default();
        let mut start = |timer, after: Option<Duration>| {
            if let Some(after) = after {
                timers.set(timer, now + after);
            }
        };
        start(Timer::Heartbeat, limits.heartbeat_interval);
        start(Timer::Idle, limits.idle_timeout);
        start(Timer::FirstMessage, limits.first_message_timeout);
        start(Timer::MaxAge, limits.max_age);
        start(
            Timer::Credential,
            expires_at.map(|at| at.saturating_duration_since(now)),
        );
        Self {
            timers,
            heartbeat: Heartbeat::default(),
            end: End::default(),
            counts: Counts::default(),
            inbound: VecDeque::new(),
            inbound_bytes: 0,
            compact_inbound: 0,
            input_ended: false,
            reader_gone: false,
            bucket: limits.rate_limit.map(|limit| Bucket::new(limit, now)),
            stalled: None,
            heard_at: now,
            data_at: now,
            idle_mark: Unfinished::default(),
            queue: SendQueue::new(limits.queue_bytes, limits.queue_messages),
            unsent_bytes: 0,
            taken_bytes: 0,
            sent_mark: 0,
            gap: Removed::default(),
            failures: Vec::new(),
            grace_over: false,
            limits,
        }
    }

    /// Whether the loop should read from the transport.
    pub(crate) fn wants_input(&self) -> bool {
        !self.input_ended && !self.is_input_held() && self.stage() == Stage::Running
    }

    /// Whether reading waits for the handler or for tokens: the peer is not to blame for silence.
    fn is_input_held(&self) -> bool {
        if self.end.is_close_sent() {
            // Data is discarded from here on; only the peer's close is waited for.
            return false;
        }
        self.stalled.is_some()
            || self.inbound.len() >= READ_AHEAD_MESSAGES
            || self.inbound_bytes >= READ_AHEAD_BYTES
    }

    /// Whether `read` has something to return.
    pub(crate) fn is_readable(&self) -> bool {
        !self.inbound.is_empty() || self.input_ended
    }

    /// The next message to hand to the transport.
    pub(crate) fn poll_transmit(&mut self) -> Option<Message> {
        if self.end.is_close_sent() || self.end.is_aborted() {
            return None;
        }
        if self.end.is_close_queued() {
            // The handler had its turn; what it writes from now on would delay the close forever.
            self.end.refuse_writes();
        }
        let message = match self.queue.pop_control() {
            Some(control) => control,
            None => match self.queue.pop_data() {
                Some(data) => {
                    self.counts.messages_out += 1;
                    self.counts.bytes_out += data.payload_bytes() as u64;
                    data
                }
                None => Message::Close(self.end.take_close()?),
            },
        };
        self.taken_bytes += wire_bytes(message.payload_bytes());
        Some(message)
    }

    /// Whether `poll_transmit` would yield something.
    pub(crate) fn has_output(&self) -> bool {
        !self.end.is_close_sent()
            && !self.end.is_aborted()
            && (self.queue.has_control() || self.queue.has_data() || self.end.is_close_queued())
    }

    /// When to call [`handle_time`](Self::handle_time) at the latest.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// What the loop does with the connection.
    pub(crate) fn stage(&self) -> Stage {
        self.end.stage()
    }

    /// Errors to tell the observers, in order.
    pub(crate) fn take_failures(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.failures)
    }

    pub(crate) fn has_failures(&self) -> bool {
        !self.failures.is_empty()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// The time between the last matched ping's flush and its pong.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.heartbeat.round_trip()
    }

    /// Payload bytes that wait in the queue or behind it.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queue.bytes() + self.unsent_bytes
    }

    /// Whether everything written has reached the operating system.
    pub(crate) fn is_flushed(&self) -> bool {
        self.unsent_bytes == 0 && !self.queue.has_data()
    }

    /// Whether [`rest`](Self::rest) has something to give back.
    pub(crate) fn wants_rest(&self) -> bool {
        self.queue.wants_rest(READ_AHEAD_MESSAGES) || self.compact_inbound < self.inbound.len()
    }

    /// Gives memory back that only a burst needed, and lets what waits stop holding the buffers
    /// that it was read into.
    pub(crate) fn rest(&mut self) {
        self.queue.rest(READ_AHEAD_MESSAGES);
        let added = self.inbound.iter_mut().skip(self.compact_inbound);
        added.flatten().for_each(Message::compact);
        self.compact_inbound = self.inbound.len();
    }

    /// Gives all memory back: nothing has happened for a while.
    fn sleep(&mut self) {
        self.inbound.shrink_to(0);
        self.queue.rest(0);
    }
}

/// What a message of this size takes on the wire.
fn wire_bytes(payload_bytes: usize) -> u64 {
    let head = match payload_bytes {
        0..=125 => 2,
        126..=0xFFFF => 4,
        _ => 10,
    };
    payload_bytes as u64 + head
}

#[cfg(test)]
mod tests;
