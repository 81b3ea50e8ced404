//! The end of a session, as far as it has come.

use bytestring::ByteString;

use crate::message::{CloseCode, CloseFrame, Initiator};

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
    pub(super) begun: Option<Box<Begun>>,
    pub(super) refuses_writes: bool,
    pub(super) is_close_sent: bool,
    pub(super) peer_closed: bool,
    /// No answer to our close is expected: the peer broke the protocol.
    pub(super) expects_no_answer: bool,
    pub(super) is_lingering: bool,
    pub(super) is_aborted: bool,
    pub(super) is_dropped: bool,
    /// The handler outlived its connection for too long.
    pub(super) is_grace_over: bool,
}

#[derive(Debug)]
pub(super) struct Begun {
    pub(super) code: CloseCode,
    pub(super) reason: ByteString,
    pub(super) initiator: Initiator,
    /// The frame to send once the queue is empty; the inner `None` is an empty close.
    queued: Option<Option<CloseFrame>>,
}

impl End {
    /// Without a close frame: the connection is dropped.
    pub(super) fn begin(&mut self, initiator: Initiator) {
        self.begun = Some(Box::new(Begun {
            code: CloseCode::ABNORMAL,
            reason: ByteString::new(),
            initiator,
            queued: None,
        }));
    }

    /// With a close frame to send; `None` is an empty one.
    pub(super) fn begin_with(&mut self, frame: Option<CloseFrame>, initiator: Initiator) {
        let (code, reason) = match &frame {
            Some(frame) => (frame.code(), frame.reason().clone()),
            None => (CloseCode::NO_STATUS, ByteString::new()),
        };
        self.begun = Some(Box::new(Begun {
            code,
            reason,
            initiator,
            queued: Some(frame),
        }));
    }

    pub(super) fn has_begun(&self) -> bool {
        self.begun.is_some()
    }

    #[inline]
    pub(super) fn is_close_queued(&self) -> bool {
        let begun = self.begun.as_deref();
        begun.is_some_and(|begun| begun.queued.is_some())
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
        let frame = self.begun.as_mut()?.queued.take()?;
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
