//! What happens to a session from outside its handler.

use std::time::Instant;

use super::{
    inbound::{Arrived, Inbound},
    progress::has_advanced,
    state::{Engine, PROGRESS_BYTES},
};
use crate::session::{moment::Moment, timer::Timer};
use crate::{
    message::{CloseCode, CloseFrame, Error, ErrorKind, Initiator, Message, Phase},
    policy::RatePolicy,
    wire::{Traffic, Unfinished},
};

/// Failures that wait to be told.
const MAX_REPORTED: usize = 64;

impl Engine {
    /// Messages came.
    pub(crate) fn handle_messages(&mut self, arrived: &mut Arrived, now: Instant) {
        let heard_at = Moment::of(now);
        let (messages, has_control) = arrived.take();
        if !has_control && self.admits_all(messages, now) {
            // As nearly always: they are counted together, and the list changes hands as it is.
            self.heard_at = heard_at;
            self.data_at = heard_at;
            self.timers.stop(Timer::FirstMessage);
            self.counts.messages_in += messages.len() as u64;
            self.counts.bytes_in += messages.bytes() as u64;
            return self.inbound.append(messages);
        }
        while let Some(message) = messages.pop() {
            if let Ok(message) = message {
                self.handle_message(message, heard_at, now);
            }
        }
    }

    /// Whether all of these reach the handler. If so, the rate limit has been paid.
    fn admits_all(&mut self, messages: &Inbound, now: Instant) -> bool {
        let is_open = !self.input_ended
            && !self.reader_gone
            && !self.end.is_close_sent()
            && !self.is_draining();
        is_open
            && self
                .bucket_mut()
                .is_none_or(|bucket| bucket.take_all(messages.len(), messages.bytes(), now))
    }

    fn handle_message(&mut self, message: Message, heard_at: Moment, now: Instant) {
        if self.input_ended {
            // Somebody else ended the session while this was being read.
            return self.queue.discard(message);
        }
        self.heard_at = heard_at;
        match message {
            Message::Ping(payload) => {
                // A close that waits behind data does not stop pongs; one that left does.
                if !self.end.is_close_sent() {
                    self.queue.push_control(Message::Pong(payload.clone()));
                }
                self.deliver_control(Message::Ping(payload));
            }
            Message::Pong(payload) => {
                self.take_pong(&payload, now);
                self.deliver_control(Message::Pong(payload));
            }
            Message::Close(frame) => {
                self.deliver_control(Message::Close(frame.clone()));
                self.take_peer_close(frame, now);
            }
            message => self.admit(message, heard_at, now),
        }
    }

    /// The peer broke the protocol, or a limit that its frames are checked against.
    pub(crate) fn handle_violation(&mut self, error: Error, now: Instant) {
        let frame = CloseFrame::cut(error.kind().close_code(), error.message());
        self.note_failure(error.in_phase(Phase::Session));
        self.begin_fail(frame, now);
    }

    /// Something failed that the session goes on after. Observers are told at its next turn; of
    /// what no turn comes for, only so much is kept, and the rest returned.
    pub(crate) fn report(&mut self, error: Error) -> Option<Error> {
        if self.rare().failures.len() >= MAX_REPORTED {
            return Some(error);
        }
        self.note_failure(error.in_phase(Phase::Handler));
        None
    }

    /// The connection ended without a close handshake.
    pub(crate) fn handle_gone(&mut self) {
        self.abort(Initiator::Peer);
    }

    /// What has gone over the connection so far, where the transport can tell.
    pub(crate) fn handle_traffic(&mut self, traffic: Option<Traffic>) {
        let Some(traffic) = traffic else {
            return;
        };
        self.tells_traffic = true;
        self.counts.wire_bytes_in = traffic.received_bytes;
        self.counts.wire_bytes_out = traffic.sent_bytes;
    }

    /// What the transport was handed since the last call takes `taken_bytes` on the wire, and
    /// `unsent_bytes` are stuck in it.
    pub(crate) fn handle_flush(&mut self, taken_bytes: u64, unsent_bytes: usize, now: Instant) {
        self.unsent_bytes = unsent_bytes;
        if !self.tells_traffic {
            let rare = self.rare();
            rare.taken_bytes += taken_bytes;
            let left_bytes = rare.taken_bytes.saturating_sub(unsent_bytes as u64);
            self.counts.wire_bytes_out = left_bytes;
        }
        if self.end.has_begun() {
            // From here on the close deadline rules.
            if unsent_bytes == 0 {
                self.linger(now);
            }
            return;
        }
        self.note_flushed_ping(now);
        if unsent_bytes == 0 && !self.has_output() {
            self.timers.stop(Timer::Write);
            return;
        }
        // What the peer took of the connection, not of what it makes of it.
        let sent = self.counts.wire_bytes_out;
        let is_set = self.timers.is_set(Timer::Write);
        let rare = self.rare();
        if !is_set || sent >= rare.sent_mark + PROGRESS_BYTES {
            rare.sent_mark = sent;
            self.timers
                .set(Timer::Write, now + self.limits.write_deadline);
        }
    }

    /// Time passed. `unfinished` tells slow peers from dead ones.
    pub(crate) fn handle_time(&mut self, unfinished: Unfinished, now: Instant) {
        while let Some(timer) = self.timers.expire(now, self.heartbeat.is_ping_out()) {
            match timer {
                Timer::Heartbeat => self.handle_silence(unfinished, now),
                Timer::Idle => self.idle(unfinished, now),
                Timer::Rate => {
                    if let Some(message) = self.take_stalled() {
                        self.admit(message, Moment::of(now), now);
                    }
                }
                Timer::FirstMessage => self.expire(
                    CloseCode::POLICY,
                    "WHARF_FIRST_MESSAGE_TIMEOUT",
                    "the first message did not come in time",
                    now,
                ),
                Timer::MaxAge => self.expire(
                    CloseCode::GOING_AWAY,
                    "WHARF_MAX_AGE",
                    "the session reached its maximum age; reconnect",
                    now,
                ),
                Timer::Credential => self.expire(
                    CloseCode::POLICY,
                    "WHARF_CREDENTIAL_EXPIRED",
                    "the credential expired; reconnect with a new one",
                    now,
                ),
                Timer::Write => {
                    self.fail_timeout(
                        "WHARF_WRITE_DEADLINE",
                        "the peer did not read what was sent in time; the connection was dropped",
                    );
                    self.abort(Initiator::Server);
                }
                // The close handshake took too long; what is still unsaid stays so.
                Timer::Close => self.abort(Initiator::Server),
                // The loop drops the handler: it asks `is_grace_over`.
                Timer::HandlerGrace => self.end.is_grace_over = true,
            }
        }
    }

    /// The handler ended, with the close frame that its result asks for.
    pub(crate) fn handle_handler_end(
        &mut self,
        frame: CloseFrame,
        failure: Option<Error>,
        now: Instant,
    ) {
        let has_failed = failure.is_some();
        if let Some(failure) = failure {
            self.note_failure(failure.in_phase(Phase::Handler));
        }
        self.reader_gone = true;
        self.drop_inbound();
        self.discard_stalled();
        match self.take_drain() {
            // It is through with its message, which is what the shutdown waited for.
            Some(drained) if !has_failed => {
                self.begin_close(drained, Initiator::Server, now);
            }
            _ => self.begin_close(frame, Initiator::Handler, now),
        }
    }

    /// The server shuts down: the handler may finish the message that it is at, and no other is
    /// delivered.
    pub(crate) fn handle_drain(&mut self, frame: CloseFrame, now: Instant) {
        if self.is_closing() {
            return;
        }
        let hears = self.hears_drains && !self.reader_gone;
        if !self.is_at_work() && !hears {
            return self.begin_close(frame, Initiator::Server, now);
        }
        self.rare().draining = Some(frame);
        self.deliver_stalled();
        for timer in [Timer::Idle, Timer::FirstMessage, Timer::Rate] {
            self.timers.stop(timer);
        }
    }

    /// Whether the handler has read a message and not come back for the next.
    pub(crate) fn is_at_work(&self) -> bool {
        self.is_at_work && !self.reader_gone
    }

    /// The handler waits for a message and there is none; `true` if that is the end.
    pub(crate) fn handle_waiting_reader(&mut self, now: impl Fn() -> Instant) -> bool {
        if self.is_in_hand {
            // It is not the handler that waits.
            return false;
        }
        self.is_at_work = false;
        match self.take_drain() {
            Some(frame) => {
                self.begin_close(frame, Initiator::Server, now());
                true
            }
            None => false,
        }
    }

    /// The application's code panicked where the session ran it.
    pub(crate) fn handle_panic(&mut self, error: Error, now: Instant) {
        self.note_failure(error.in_phase(Phase::Session));
        let frame = CloseFrame::cut(CloseCode::INTERNAL, "");
        self.begin_close(frame, Initiator::Server, now);
    }

    /// Something failed: observers are told at the session's next turn.
    pub(crate) fn note_failure(&mut self, error: Error) {
        self.rare().failures.push_back(error);
    }

    /// The server wants the session to end: a shutdown, a disconnect.
    pub(crate) fn handle_server_close(&mut self, frame: CloseFrame, now: Instant) {
        self.begin_close(frame, Initiator::Server, now);
    }

    /// The principal's credential is good until then.
    pub(crate) fn renew(&mut self, expires_at: Option<Instant>) {
        match expires_at {
            _ if self.end.has_begun() => {}
            Some(at) => self.timers.set(Timer::Credential, at),
            None => self.timers.stop(Timer::Credential),
        }
    }

    /// The session's task was dropped.
    pub(crate) fn handle_abort(&mut self) {
        self.abort(Initiator::Server);
    }

    /// The server drops the connection, and the handler with it.
    pub(crate) fn handle_kill(&mut self) {
        self.abort(Initiator::Server);
        self.end.is_grace_over = true;
    }

    /// The connection is gone and the handler is not: it gets a while to notice.
    pub(crate) fn start_handler_grace(&mut self, now: Instant) {
        if !self.timers.is_set(Timer::HandlerGrace) && !self.end.is_grace_over {
            self.timers
                .set(Timer::HandlerGrace, now + self.limits.handler_grace);
        }
    }

    pub(crate) fn is_grace_over(&self) -> bool {
        self.end.is_grace_over
    }

    /// Takes a data or unknown message through the rate limit.
    fn admit(&mut self, message: Message, at: Moment, now: Instant) {
        if self.end.is_close_sent() || self.is_draining() {
            // Only the peer's close is waited for, or the handler; what comes before is counted and
            // discarded.
            self.count_in(&message);
            return self.queue.discard(message);
        }
        self.timers.stop(Timer::FirstMessage);
        self.data_at = at;
        if let Some(rare) = &mut self.rare
            && let Some(bucket) = &mut rare.bucket
            && let Err(refilled) = bucket.take(message.payload_bytes(), now)
            // At the end there is nothing left to slow down.
            && !(bucket.policy() == RatePolicy::Wait && self.end.has_begun())
        {
            let error = rate_limited();
            match bucket.policy() {
                RatePolicy::Wait => {
                    rare.stalled = Some(message);
                    self.timers.set(Timer::Rate, refilled);
                }
                RatePolicy::Error => self.deliver(Err(error)),
                // What else came with the message that was too much changes nothing.
                RatePolicy::Close if self.end.has_begun() => {}
                RatePolicy::Close => {
                    let frame = CloseFrame::cut(CloseCode::POLICY, error.message());
                    self.note_failure(error.in_phase(Phase::Session));
                    self.begin_close(frame, Initiator::Server, now);
                }
            }
            return;
        }
        self.count_in(&message);
        self.deliver(Ok(message));
    }

    fn count_in(&mut self, message: &Message) {
        self.counts.messages_in += 1;
        self.counts.bytes_in += message.payload_bytes() as u64;
    }

    pub(super) fn deliver(&mut self, item: Result<Message, Error>) {
        // After our own close the handler is done with the peer's data.
        if self.reader_gone || self.input_ended || self.end.is_close_sent() {
            return self.discard_inbound(item.ok());
        }
        self.inbound.push(item);
    }

    fn deliver_control(&mut self, message: Message) {
        if self.limits.control_frames {
            self.deliver(Ok(message));
        }
    }

    pub(super) fn discard_inbound(&mut self, message: Option<Message>) {
        if let Some(message) = message {
            self.queue.discard(message);
        }
    }

    /// Delivers the message that waits for tokens: they do not matter any more.
    pub(super) fn deliver_stalled(&mut self) {
        if let Some(message) = self.take_stalled() {
            self.count_in(&message);
            self.deliver(Ok(message));
        }
    }

    pub(super) fn discard_stalled(&mut self) {
        let stalled = self.take_stalled();
        self.discard_inbound(stalled);
    }

    pub(super) fn drop_inbound(&mut self) {
        for item in std::mem::take(&mut self.inbound) {
            self.discard_inbound(item.ok());
        }
    }

    fn idle(&mut self, unfinished: Unfinished, now: Instant) {
        let Some(idle) = self.limits.idle_timeout else {
            return;
        };
        // As with the heartbeat, data does not move the deadline.
        let idle_at = self.data_at.instant() + idle;
        if idle_at > now {
            // What is under way now began after it.
            self.mark(|rare| &mut rare.idle_mark, Unfinished::default());
            return self.timers.set(Timer::Idle, idle_at);
        }
        let mark = self.mark(|rare| &mut rare.idle_mark, unfinished);
        if self.is_input_held() || has_advanced(mark, unfinished, idle) {
            return self.timers.set(Timer::Idle, now + idle);
        }
        self.expire(
            CloseCode::GOING_AWAY,
            "WHARF_IDLE_TIMEOUT",
            "nothing was received for too long",
            now,
        );
    }

    /// Closes because a timer says so.
    fn expire(&mut self, code: CloseCode, name: &'static str, message: &'static str, now: Instant) {
        self.fail_timeout(name, message);
        self.begin_close(CloseFrame::cut(code, message), Initiator::Server, now);
    }

    fn fail_timeout(&mut self, name: &'static str, message: &'static str) {
        let error = Error::new(ErrorKind::Timeout, name, message);
        self.note_failure(error.in_phase(Phase::Session));
    }
}

fn rate_limited() -> Error {
    Error::new(
        ErrorKind::RateLimited,
        "WHARF_RATE_LIMITED",
        "too many messages or bytes per second; send less",
    )
}
