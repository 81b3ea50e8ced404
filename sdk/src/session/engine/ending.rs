//! How a session ends, once.

use std::time::{Duration, Instant};

use bytestring::ByteString;

use super::{end::Stage, state::Engine};
use crate::message::{CloseCode, CloseFrame, CloseOutcome, Initiator, Message};
use crate::session::timer::Timer;

/// How long what a peer still sends is discarded after the last frame to it, so that the frame is
/// not lost to a reset.
const LINGER: Duration = Duration::from_secs(1);

impl Engine {
    /// Whether the end has begun, by whomever.
    pub(crate) fn is_closing(&self) -> bool {
        self.end.has_begun() || self.is_draining()
    }

    /// Whether the close handshake is over, or the connection is.
    pub(crate) fn is_closed(&self) -> bool {
        self.end.stage() != Stage::Running
    }

    /// How the session ended; before that, how it would if the connection broke now.
    pub(crate) fn outcome(&self) -> CloseOutcome {
        let end = &self.end;
        match &end.begun {
            None => CloseOutcome {
                code: CloseCode::ABNORMAL,
                reason: ByteString::new(),
                clean: false,
                initiator: Initiator::Peer,
            },
            Some(begun) => CloseOutcome {
                code: begun.code,
                reason: begun.reason.clone(),
                clean: end.is_close_sent && end.peer_closed && !end.is_aborted,
                initiator: begun.initiator,
            },
        }
    }

    /// Begins the end with a close frame of ours, behind what is queued. Nothing happens if the
    /// end has begun.
    pub(super) fn begin_close(&mut self, frame: CloseFrame, initiator: Initiator, now: Instant) {
        if self.end.has_begun() {
            return self.queue.discard(Message::Close(Some(frame)));
        }
        self.take_drain();
        self.end.begin_with(Some(frame), initiator);
        self.deliver_stalled();
        self.timers.stop_all();
        self.timers
            .set(Timer::Close, now + self.limits.close_timeout);
    }

    /// The same, with nothing more to expect from a peer that broke the rules.
    pub(super) fn begin_fail(&mut self, frame: CloseFrame, now: Instant) {
        self.begin_close(frame, Initiator::Server, now);
        self.end.expects_no_answer = true;
        self.end_input();
    }

    /// Takes the peer's close frame, and answers it if it is the first.
    pub(super) fn take_peer_close(&mut self, frame: Option<CloseFrame>, now: Instant) {
        self.end.peer_closed = true;
        self.end_input();
        if self.end.has_begun() {
            return;
        }
        self.take_drain();
        self.end.begin_with(frame, Initiator::Peer);
        self.timers.stop_all();
        self.timers
            .set(Timer::Close, now + self.limits.close_timeout);
    }

    /// Drops the connection now; the outcome is 1006 unless a close frame began the end.
    pub(super) fn abort(&mut self, initiator: Initiator) {
        if self.end.stage() == Stage::Dropped {
            return;
        }
        if self.end.is_lingering() {
            // Both frames are through: only the peer's end of the connection was missing.
            return self.handle_transport_closed();
        }
        if !self.end.has_begun() {
            self.end.begin(initiator);
        }
        self.take_drain();
        self.heartbeat.is_due = false;
        self.end.is_aborted = true;
        self.end_input();
        self.queue.clear();
        self.timers.stop_all();
    }

    /// The transport is closed as the rules say.
    pub(crate) fn handle_transport_closed(&mut self) {
        self.end.is_dropped = true;
        self.queue.clear();
        self.timers.stop_all();
    }

    /// Shortens the close deadline once only the peer's side of the connection is left to end.
    pub(super) fn linger(&mut self, now: Instant) {
        if self.end.stage() == Stage::Closing && !self.end.is_lingering {
            self.end.is_lingering = true;
            let until = self.timers.get(Timer::Close).unwrap_or(now);
            self.timers.stop_all();
            self.timers.set(Timer::Close, until.min(now + LINGER));
        }
    }

    pub(super) fn end_input(&mut self) {
        self.input_ended = true;
        self.discard_stalled();
    }
}
