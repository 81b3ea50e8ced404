//! Answers that go on as long as their session does: server-sent events.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::Either;
use hyper::body::{Frame, SizeHint};

use crate::{Body, places::Place};

/// The body of an answer, which keeps something while it goes on. What is whole is nothing to
/// keep: its peer has only to take it.
pub(crate) struct Kept<G> {
    body: Body,
    _guard: Option<G>,
}

impl<G> Kept<G> {
    pub(crate) fn new(body: Body, guard: impl FnOnce() -> G) -> Self {
        let goes_on = matches!(body, Either::Right(_));
        Self {
            body,
            _guard: goes_on.then(guard),
        }
    }
}

impl<G: Unpin> hyper::body::Body for Kept<G> {
    type Data = Bytes;
    type Error = <Body as hyper::body::Body>::Error;

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

/// A place that is not given to another: its connection does what it is there for.
pub(crate) struct Settled(Place);

impl Settled {
    pub(crate) fn new(place: &Place) -> Self {
        place.settle();
        Self(Arc::clone(place))
    }
}

impl Drop for Settled {
    fn drop(&mut self) {
        self.0.unsettle();
    }
}
