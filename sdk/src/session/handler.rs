//! The handler inside its session.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::BoxFuture;

use super::{shared::Shared, socket::Socket};
use crate::message::Result;

/// What makes a handler's future.
pub(crate) type Start = Box<dyn FnOnce(Socket) -> BoxFuture<'static, Result<()>> + Send>;

/// A session's handler, as far as it has come.
pub(super) enum Handler {
    /// Not called yet.
    Prepared(Start),
    Running(BoxFuture<'static, Result<()>>),
    /// It has ended; or the socket is in somebody else's hands.
    Gone,
}

impl Handler {
    pub(super) fn new(start: Start) -> Self {
        Self::Prepared(start)
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Gone)
    }

    /// Polls it, and calls it before the first time: inside the session, which catches its panics
    /// from the first line on. Never called once it is gone.
    pub(super) fn poll(&mut self, shared: &Arc<Shared>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let Self::Prepared(_) = self
            && let Self::Prepared(start) = std::mem::replace(self, Self::Gone)
        {
            *self = Self::Running(start(Socket::new(Arc::clone(shared))));
        }
        match self {
            Self::Running(future) => future.as_mut().poll(cx),
            Self::Prepared(_) | Self::Gone => Poll::Ready(Ok(())),
        }
    }

    /// Takes it out of the session, to be dropped.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Gone)
    }
}
