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
    Running(BoxFuture<'static, Result<()>>),
    /// Not called yet. Boxed, so that the future beside it is all that there is room for. `None` once
    /// it has ended, or where the socket is in somebody else's hands.
    Idle(Option<Box<Start>>),
}

impl Handler {
    pub(super) fn new(start: Start) -> Self {
        Self::Idle(Some(Box::new(start)))
    }

    /// The socket is in somebody else's hands.
    pub(super) fn elsewhere() -> Self {
        Self::Idle(None)
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Idle(None))
    }

    /// Polls it, and calls it before the first time: inside the session, which catches its panics
    /// from the first line on. Never called once it is gone.
    pub(super) fn poll(&mut self, shared: &Arc<Shared>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let Self::Idle(start) = self
            && let Some(start) = start.take()
        {
            *self = Self::Running(start(Socket::new(Arc::clone(shared))));
        }
        match self {
            Self::Running(future) => future.as_mut().poll(cx),
            Self::Idle(_) => Poll::Ready(Ok(())),
        }
    }

    /// Takes it out of the session, to be dropped.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Idle(None))
    }
}
