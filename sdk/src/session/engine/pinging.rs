//! Pings of ours, each paired with its pong.

use std::time::Instant;

use bytes::Bytes;

use super::{
    heartbeat::Ping,
    progress::{has_advanced, has_grown},
    state::Engine,
};
use crate::session::{moment::Moment, timer::Timer};
use crate::{
    message::{Error, ErrorKind, Initiator, Message, Phase},
    wire::{Unfinished, server_frame_bytes},
};

/// What a ping of ours takes on the wire.
const PING_BYTES: u64 = server_frame_bytes(size_of::<u64>()) as u64;

impl Engine {
    /// Starts the silence over, where no ping is out. Messages do not move the deadline; when it
    /// passes, the last one tells whether there was silence.
    pub(super) fn await_silence(&mut self, now: Instant) {
        if self.heartbeat.ping() == Ping::None
            && !self.end.has_begun()
            && let Some(interval) = self.limits.heartbeat_interval
        {
            self.timers.set(Timer::Heartbeat, now + interval);
        }
    }

    /// The heartbeat's time has passed.
    pub(super) fn handle_silence(&mut self, unfinished: Unfinished, now: Instant) {
        match self.heartbeat.ping() {
            Ping::SentAt(sent) => self.miss_pong(sent, unfinished, now),
            Ping::None | Ping::Unsent | Ping::Leaving(_) => self.beat(unfinished, now),
        }
    }

    /// Sends a ping, unless a large message is arriving.
    fn beat(&mut self, unfinished: Unfinished, now: Instant) {
        let Some(interval) = self.limits.heartbeat_interval else {
            return;
        };
        let silent_at = self.heard_at.instant() + interval;
        if silent_at > now {
            // What is under way now began, or at least went on, after it.
            self.mark(|rare| &mut rare.silence_mark, Unfinished::default());
            return self.timers.set(Timer::Heartbeat, silent_at);
        }
        let mark = self.mark(|rare| &mut rare.silence_mark, unfinished);
        if has_advanced(mark, unfinished, interval) {
            return self.await_silence(now);
        }
        self.sleep();
        self.heartbeat.beat();
        if self.is_input_held() {
            // The handler does not read, so the pong cannot be either, and its clock must not run.
            // The ping still finds out whether there is a peer.
            return self.await_silence(now);
        }
        self.heartbeat.set_ping(Ping::Unsent);
    }

    /// Our ping, ahead of everything else that waits.
    pub(super) fn take_due_ping(&mut self) -> Option<Message> {
        if !std::mem::take(&mut self.heartbeat.is_due) {
            return None;
        }
        let payload = Bytes::copy_from_slice(&self.heartbeat.payload());
        if self.heartbeat.ping() == Ping::Unsent {
            let before = self.counts.wire_bytes_out + self.unsent_bytes as u64;
            let end = before + PING_BYTES;
            self.heartbeat.set_ping(Ping::Leaving(end));
        }
        Some(Message::Ping(payload))
    }

    /// Starts the pong clock once the ping has left.
    pub(super) fn note_flushed_ping(&mut self, now: Instant) {
        if let Ping::Leaving(end) = self.heartbeat.ping()
            && (self.counts.wire_bytes_out >= end || self.unsent_bytes == 0)
        {
            self.heartbeat.set_ping(Ping::SentAt(Moment::of(now)));
            self.timers
                .set(Timer::Heartbeat, now + self.limits.heartbeat_timeout);
        }
    }

    pub(super) fn take_pong(&mut self, payload: &[u8], now: Instant) {
        if payload != self.heartbeat.payload() {
            return;
        }
        match self.heartbeat.ping() {
            Ping::None => return,
            // It left with the first bytes of a buffer that is not empty yet.
            Ping::Unsent | Ping::Leaving(_) => {}
            Ping::SentAt(sent) => {
                let round_trip = now.saturating_duration_since(sent.instant());
                self.heartbeat.set_round_trip(round_trip);
            }
        }
        self.heartbeat.set_ping(Ping::None);
        self.timers.stop(Timer::Heartbeat);
        self.await_silence(now);
    }

    /// No pong in time.
    fn miss_pong(&mut self, sent: Moment, unfinished: Unfinished, now: Instant) {
        let mark = self.mark(|rare| &mut rare.silence_mark, unfinished);
        // A message that has been under way since the ping keeps its pong back; behind one that is
        // complete there was room.
        let is_behind = self.data_at <= sent;
        let is_arriving = is_behind && has_grown(mark, unfinished, self.limits.heartbeat_timeout);
        if self.is_input_held() || is_arriving {
            // The pong may be waiting behind what is not read yet.
            return self
                .timers
                .set(Timer::Heartbeat, now + self.limits.heartbeat_timeout);
        }
        self.note_failure(
            Error::new(
                ErrorKind::Timeout,
                "WHARF_HEARTBEAT_TIMEOUT",
                "the peer did not answer a ping in time; the connection was dropped",
            )
            .in_phase(Phase::Session),
        );
        self.abort(Initiator::Server);
    }
}
