//! All that the machine knows.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    counts::{Counts, Moved},
    end::{End, Stage},
    heartbeat::Heartbeat,
    inbound::Inbound,
    lazy::LazyDeque,
    outgoing::Outgoing,
    queue::SendQueue,
    rare::Rare,
};
use crate::{
    message::{CloseFrame, Error, Message},
    policy::{Bucket, Limits},
    session::{
        moment::Moment,
        timer::{Timer, TimerTable},
    },
};

/// How many messages are read ahead of the handler, so that pings and a close behind them are
/// seen; beyond it TCP holds the peer back.
pub(super) const READ_AHEAD_MESSAGES: usize = 64;

/// The same in bytes; one message may exceed it.
pub(super) const READ_AHEAD_BYTES: usize = 64 * 1024;

/// A peer that takes this much while the write deadline runs is slow, not dead.
pub(super) const PROGRESS_BYTES: u64 = 16 * 1024;

#[derive(Debug)]
pub(crate) struct Engine {
    pub(super) limits: Arc<Limits>,
    pub(super) timers: TimerTable,
    pub(super) heartbeat: Heartbeat,
    pub(super) end: End,
    pub(super) counts: Moved,
    /// The transport counts what goes over the connection.
    pub(super) tells_traffic: bool,

    pub(super) inbound: Inbound,
    /// Nothing more will be pushed to `inbound`.
    pub(super) input_ended: bool,
    /// Nobody will read: data is discarded.
    pub(super) reader_gone: bool,
    /// The socket is all there is on this side: the end begins when it is dropped.
    pub(super) ends_when_left: bool,
    /// The handler has read a message and not come back for the next.
    pub(super) is_at_work: bool,
    /// The handler has found nothing to read, and waits.
    pub(super) is_read_awaited: bool,
    /// The handler has messages in hand that come before whatever else there is to read.
    pub(super) is_in_hand: bool,
    /// A drain ends the handler's input, and waits until it is through: it has something to say.
    pub(super) hears_drains: bool,
    /// When something last came from the peer.
    pub(super) heard_at: Moment,
    /// When a data message last came.
    pub(super) data_at: Moment,

    pub(super) queue: SendQueue,
    /// Bytes that were taken from the queue and have not left the process.
    pub(super) unsent_bytes: usize,
    /// `None` until some of it is needed.
    pub(super) rare: Option<Box<Rare>>,
}

impl Engine {
    pub(crate) fn new(limits: Arc<Limits>, expires_at: Option<Instant>, now: Instant) -> Self {
        let mut timers = TimerTable::new(now);
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
            counts: Moved::default(),
            tells_traffic: false,
            inbound: Inbound::new(),
            input_ended: false,
            reader_gone: false,
            ends_when_left: false,
            is_at_work: false,
            is_read_awaited: false,
            is_in_hand: false,
            hears_drains: false,
            heard_at: Moment::of(now),
            data_at: Moment::of(now),
            queue: SendQueue::default(),
            unsent_bytes: 0,
            rare: limits.rate_limit.map(|limit| {
                Box::new(Rare {
                    bucket: Some(Bucket::new(limit, now)),
                    ..Rare::default()
                })
            }),
            limits,
        }
    }

    /// The same for a session without a handler: it ends when its socket is dropped.
    pub(crate) fn ending_when_left(mut self) -> Self {
        self.ends_when_left = true;
        self
    }

    /// When the session began.
    pub(crate) fn started(&self) -> Instant {
        self.timers.start()
    }

    /// Whether the loop should read from the transport.
    #[inline]
    pub(crate) fn wants_input(&self) -> bool {
        !self.input_ended && !self.is_input_full() && self.stage() == Stage::Running
    }

    /// Whether a large message is left with the peer: the handler is busy, and what was written
    /// does not leave. What is small is read, so that pings and a close are seen.
    #[inline]
    pub(crate) fn holds_large(&self) -> bool {
        !self.is_read_awaited
            && !self.reader_gone
            && !self.end.has_begun()
            && self.queued_bytes() >= READ_AHEAD_BYTES
    }

    /// How much the loop may read before it looks again. What others do meanwhile only ends it.
    #[inline]
    pub(crate) fn input_room(&self) -> InputRoom {
        if !self.wants_input() {
            return InputRoom::default();
        }
        let ahead = READ_AHEAD_MESSAGES
            .saturating_sub(self.inbound.len())
            .max(1);
        let held_bytes = self.inbound.bytes();
        let bytes = READ_AHEAD_BYTES.saturating_sub(held_bytes).max(1);
        InputRoom {
            // The one that is over the rate holds back what is behind it.
            messages: at_most_u16(match self.bucket() {
                Some(bucket) => bucket.messages_at_once(READ_AHEAD_BYTES).min(ahead),
                None => ahead,
            }),
            bytes: at_most_u16(bytes),
        }
    }

    /// Whether reading waits for the handler or for tokens: the peer is not to blame for silence.
    #[inline]
    pub(crate) fn is_input_held(&self) -> bool {
        self.is_input_full() || self.holds_large()
    }

    /// Whether nothing is read.
    #[inline]
    fn is_input_full(&self) -> bool {
        if self.end.is_close_sent() {
            // Data is discarded from here on; only the peer's close is waited for.
            return false;
        }
        self.inbound.len() >= READ_AHEAD_MESSAGES
            || self.inbound.bytes() >= READ_AHEAD_BYTES
            || self.has_stalled()
    }

    /// Whether `read` has something to return.
    #[inline]
    pub(crate) fn is_readable(&self) -> bool {
        !self.inbound.is_empty() || self.input_ended || self.has_drain_to_hear()
    }

    /// Whether a drain is what ends the handler's input.
    pub(super) fn has_drain_to_hear(&self) -> bool {
        self.hears_drains && self.is_draining()
    }

    /// What is rarely needed, to be changed.
    #[inline]
    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Whether a message waits for tokens.
    pub(super) fn has_stalled(&self) -> bool {
        let rare = self.rare.as_deref();
        rare.is_some_and(|rare| rare.stalled.is_some())
    }

    pub(super) fn take_stalled(&mut self) -> Option<Message> {
        self.rare.as_mut()?.stalled.take()
    }

    /// Whether the server shuts down and waits for the handler.
    #[inline]
    pub(crate) fn is_draining(&self) -> bool {
        let rare = self.rare.as_deref();
        rare.is_some_and(|rare| rare.draining.is_some())
    }

    /// What the server wants to close with, which waited for the handler.
    pub(super) fn take_drain(&mut self) -> Option<CloseFrame> {
        self.rare.as_mut()?.draining.take()
    }

    fn bucket(&self) -> Option<&Bucket> {
        self.rare.as_ref()?.bucket.as_ref()
    }

    pub(super) fn bucket_mut(&mut self) -> Option<&mut Bucket> {
        self.rare.as_mut()?.bucket.as_mut()
    }

    /// Keeps a message that is not sent until it can be dropped.
    pub(crate) fn discard(&mut self, message: impl Into<Outgoing>) {
        self.queue.discard(message);
    }

    /// Whether something was dropped under the lock.
    #[inline]
    pub(crate) fn has_discarded(&self) -> bool {
        self.queue.has_discarded()
    }

    /// What was dropped under the lock, to be dropped behind it.
    pub(crate) fn take_discarded(&mut self) -> LazyDeque<Outgoing> {
        self.queue.take_discarded()
    }

    /// When to call [`handle_time`](Self::handle_time) at the latest; [`Moment::NEVER`] if there is no
    /// need to.
    #[inline]
    pub(crate) fn poll_deadline(&self) -> Moment {
        self.timers.next()
    }

    /// The same for those who check it.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let next = self.poll_deadline();
        next.comes().then(|| next.instant())
    }

    /// What the loop does with the connection.
    #[inline]
    pub(crate) fn stage(&self) -> Stage {
        self.end.stage()
    }

    /// Errors to tell the observers, in order.
    pub(crate) fn take_failures(&mut self) -> LazyDeque<Error> {
        let rare = self.rare.as_mut();
        rare.map_or_else(LazyDeque::new, |rare| std::mem::take(&mut rare.failures))
    }

    #[inline]
    pub(crate) fn has_failures(&self) -> bool {
        let rare = self.rare.as_deref();
        rare.is_some_and(|rare| !rare.failures.is_empty())
    }

    pub(crate) fn counts(&self) -> Counts {
        let counts = &self.counts;
        let rare = self.rare.as_deref();
        Counts {
            messages_in: counts.messages_in,
            bytes_in: counts.bytes_in,
            messages_out: counts.messages_out,
            bytes_out: counts.bytes_out,
            wire_bytes_in: match self.tells_traffic {
                true => counts.wire_bytes_in,
                false => counts.bytes_in,
            },
            wire_bytes_out: counts.wire_bytes_out,
            messages_dropped: rare.map_or(0, |rare| rare.messages_dropped),
        }
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
    #[inline]
    pub(crate) fn wants_rest(&self) -> bool {
        self.queue.wants_rest(READ_AHEAD_MESSAGES) || self.inbound.pins_buffers()
    }

    /// Gives memory back that only a burst needed, and lets what waits stop holding the buffers
    /// that it was read into.
    pub(crate) fn rest(&mut self) {
        self.queue.rest(READ_AHEAD_MESSAGES);
        self.inbound.compact();
    }

    /// Gives all memory back: nothing has happened for a while.
    pub(super) fn sleep(&mut self) {
        self.inbound.shrink();
        self.queue.rest(0);
        self.timers.shrink();
    }
}

fn at_most_u16(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

/// How much may be read ahead. Small, for every session keeps one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct InputRoom {
    /// Data messages; none if nothing is to be read.
    pub(crate) messages: u16,
    /// Their payload bytes; the last one may exceed them.
    pub(crate) bytes: u16,
}
