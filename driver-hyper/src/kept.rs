//! Answers that go on as long as their session does: server-sent events.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use wharf_sdk::driver::serve::{Occupation, Seat};

use crate::served::AnyBody;

/// The body of an answer, which keeps something while it goes on. What is whole is nothing to
/// keep: its peer has only to take it.
pub(crate) struct Kept<G> {
    body: AnyBody,
    _guard: Option<G>,
}

impl<G> Kept<G> {
    pub(crate) fn new(body: AnyBody, guard: impl FnOnce() -> G) -> Self {
        let goes_on = body.size_hint().exact().is_none();
        Self {
            body,
            _guard: goes_on.then(guard),
        }
    }
}

impl<G: Unpin> Body for Kept<G> {
    type Data = Bytes;
    type Error = <AnyBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A seat that is not given to another: its connection does what it is there for.
pub(crate) struct Settled(Seat);

impl Settled {
    pub(crate) fn new(seat: &Seat) -> Self {
        seat.occupy(Occupation::Socket);
        Self(seat.clone())
    }
}

impl Drop for Settled {
    fn drop(&mut self) {
        self.0.occupy(Occupation::Waiting);
    }
}
