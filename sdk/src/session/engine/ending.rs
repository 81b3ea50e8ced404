//! How a session ends, once.

use std::time::{Duration, Instant};

use bytestring::ByteString;

use super::{Engine, Timer};
use crate::close::{CloseCode, CloseFrame, CloseOutcome, Initiator};

/// How long what a peer still sends is discarded after the last frame to it, so that the frame is
/// not lost to a reset.
const LINGER: Duration = Duration::from_secs(1);

/// What the loop does with the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Read, write and flush.
    Running,
    /// Everything is said: close the transport.
    Closing,
    /// Drop the transport.
    Dropped,
}

#[derive(Debug, Default)]
pub(super) struct End {
    /// Set by whatever ends the session first.
    begun: Option<Begun>,
    /// The frame to send once the queue is empty; the inner `None` is an empty close.
    queued: Option<Option<CloseFrame>>,
    refuses_writes: bool,
    is_close_sent: bool,
    peer_closed: bool,
    /// No answer to our close is expected: the peer broke the protocol.
    expects_no_answer: bool,
    is_lingering: bool,
    is_aborted: bool,
    is_dropped: bool,
}

#[derive(Debug)]
struct Begun {
    code: CloseCode,
    reason: ByteString,
    initiator: Initiator,
}

impl End {
    pub(super) fn has_begun(&self) -> bool {
        self.begun.is_some()
    }

    pub(super) fn is_close_queued(&self) -> bool {
        self.queued.is_some()
    }

    pub(super) fn is_close_sent(&self) -> bool {
        self.is_close_sent
    }

    /// Whether everything is said and has left, and only the peer's end is missing.
    pub(super) fn is_lingering(&self) -> bool {
        self.is_lingering
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.is_aborted
    }

    pub(super) fn refuse_writes(&mut self) {
        self.refuses_writes = true;
    }

    pub(super) fn refuses_writes(&self) -> bool {
        self.refuses_writes || self.is_close_sent || self.is_aborted
    }

    pub(super) fn take_close(&mut self) -> Option<Option<CloseFrame>> {
        let frame = self.queued.take()?;
        self.is_close_sent = true;
        Some(frame)
    }

    pub(super) fn stage(&self) -> Stage {
        if self.is_aborted || self.is_dropped {
            Stage::Dropped
        } else if self.is_close_sent && (self.peer_closed || self.expects_no_answer) {
            Stage::Closing
        } else {
            Stage::Running
        }
    }
}

impl Engine {
    /// Whether the end has begun, by whomever.
    pub(crate) fn is_closing(&self) -> bool {
        self.end.has_begun()
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
            return;
        }
        self.end.begun = Some(Begun {
            code: frame.code,
            reason: frame.reason.clone(),
            initiator,
        });
        self.end.queued = Some(Some(frame));
        if let Some(message) = self.stalled.take() {
            // Its tokens do not matter any more.
            self.deliver(Ok(message));
        }
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
        let (code, reason) = match &frame {
            Some(frame) => (frame.code, frame.reason.clone()),
            None => (CloseCode::NO_STATUS, ByteString::new()),
        };
        self.end.begun = Some(Begun {
            code,
            reason,
            initiator: Initiator::Peer,
        });
        self.end.queued = Some(frame);
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
            self.end.begun = Some(Begun {
                code: CloseCode::ABNORMAL,
                reason: ByteString::new(),
                initiator,
            });
        }
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
        self.stalled = None;
    }
}
