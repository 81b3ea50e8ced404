//! Bodies of answers that are no upgrade.

use std::{
    convert::Infallible,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_web::{
    body::{BodySize, MessageBody},
    web::Payload,
};
use bytes::Bytes;
use futures::Stream;
use wharf_sdk::driver::EventStreamBody;

use crate::lend::Lender;

/// How much the dispatcher copies at a time: it buffers whatever it gets, however large.
const CHUNK_BYTES: usize = 16 * 1024;

/// A whole body, handed out in pieces; says when the last has been taken.
pub(crate) struct AnswerBody {
    bytes: Bytes,
    lender: Option<Rc<Lender>>,
    /// Held, and not read: behind its answer, actix closes a connection whose request is not
    /// complete. Where the payload is dropped before, it waits for the rest without a deadline.
    _payload: Payload,
}

impl AnswerBody {
    pub(crate) fn new(bytes: Bytes, payload: Payload, lender: Option<Rc<Lender>>) -> Self {
        if let Some(lender) = &lender {
            lender.answer();
        }
        Self {
            bytes,
            lender,
            _payload: payload,
        }
    }
}

impl MessageBody for AnswerBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.bytes.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let count = self.bytes.len().min(CHUNK_BYTES);
        Poll::Ready(Some(Ok(self.bytes.split_to(count))))
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        if let Some(lender) = &self.lender {
            lender.answered();
        }
    }
}

/// Server-sent events, for as long as their session goes on, which has deadlines of its own; what
/// is left at its end has the answer's.
pub(crate) struct EventBody {
    events: EventStreamBody,
    lender: Option<Rc<Lender>>,
    /// As an answer's.
    _payload: Payload,
}

impl EventBody {
    pub(crate) fn new(
        events: EventStreamBody,
        payload: Payload,
        lender: Option<Rc<Lender>>,
    ) -> Self {
        if let Some(lender) = &lender {
            lender.stream();
        }
        Self {
            events,
            lender,
            _payload: payload,
        }
    }
}

impl MessageBody for EventBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let next = ready!(Pin::new(&mut self.events).poll_next(cx));
        if let (None, Some(lender)) = (&next, &self.lender) {
            lender.answer();
        }
        Poll::Ready(next.map(Ok))
    }
}

impl Drop for EventBody {
    fn drop(&mut self) {
        if let Some(lender) = &self.lender {
            lender.answered();
        }
    }
}
