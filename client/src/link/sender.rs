//! What can only write to a link.

use std::{fmt, pin::pin, sync::Arc};

use wharf_sdk::{Error, ErrorKind, Message, Result};

use super::shared::Shared;

/// Writes to one [`Link`](super::Link), from anywhere, whether it is connected or not: a cheap
/// clone.
#[derive(Clone)]
pub struct LinkSender {
    shared: Arc<Shared>,
}

impl LinkSender {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Queues a text or binary message, waiting for room. While there is no connection, it waits
    /// for one in the queue or is refused, as the link was told.
    ///
    /// # Errors
    ///
    /// `WHARF_CONTROL_WRITE` for other kinds, `WHARF_OUTBOUND_TOO_LARGE`, `WHARF_LINK_AWAY` where
    /// it is refused, `WHARF_CLOSED` after the link's end.
    ///
    /// # Cancel safety
    ///
    /// Atomic: the message is queued whole or, if the future is dropped before it completes, not
    /// at all.
    pub async fn send(&self, message: impl Into<Message>) -> Result<()> {
        let mut message = message.into();
        loop {
            let mut rung = pin!(self.shared.room.notified());
            // Listen first, look second: room that is made in between rings.
            rung.as_mut().enable();
            match self.shared.offer(message)? {
                None => return Ok(()),
                Some(returned) => message = returned,
            }
            rung.await;
        }
    }

    /// Queues a text or binary message, or says at once that there is no room.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); `WHARF_BACKPRESSURE` instead of waiting.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<()> {
        match self.shared.offer(message.into())? {
            None => Ok(()),
            Some(_) => Err(Error::new(
                ErrorKind::Backpressure,
                "WHARF_BACKPRESSURE",
                "the link's queue is full; wait for room or send less",
            )),
        }
    }

    /// Whether there is a connection now.
    pub fn is_connected(&self) -> bool {
        self.shared.lock().is_connected
    }
}

impl fmt::Debug for LinkSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkSender").finish_non_exhaustive()
    }
}
