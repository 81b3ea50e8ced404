//! The trait that handlers are written against.

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    message::{CloseFrame, Message, Result},
    policy::DecodeErrors,
    session::Socket,
    wire::NativeSocket,
};

/// A WebSocket, on any driver.
///
/// Object-safe: `&mut dyn WebSocket` and `impl WebSocket` both work. A handler that names
/// [`Socket`](crate::Socket) instead calls the same operations without a box a call. Comforts are
/// in [`WebSocketExt`](crate::WebSocketExt).
///
/// # Contract
///
/// - `read` yields whole text and binary messages in order, then `Ok(None)` for good. Pings are
///   answered, pongs and closes consumed, whether or not anybody reads; routes that ask for
///   control frames see them as well.
/// - `write` queues in order; what was queued leaves at the latest when the handler yields.
/// - `close` flushes, closes and waits, once; after it `write` is a `WHARF_CLOSED` error.
#[async_trait]
pub trait WebSocket: Send {
    /// The next message; `None` once the session ends.
    ///
    /// # Errors
    ///
    /// `WHARF_RATE_LIMITED` in place of a message, on routes that ask for it.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: `select!` loses nothing.
    async fn read(&mut self) -> Result<Option<Message>>;

    /// Queues a text or binary message.
    ///
    /// # Errors
    ///
    /// `WHARF_CONTROL_WRITE` for other kinds (nothing is sent, the socket stays usable),
    /// `WHARF_OUTBOUND_TOO_LARGE`, `WHARF_BACKPRESSURE`, `WHARF_CLOSED`.
    ///
    /// # Cancel safety
    ///
    /// Atomic: queued whole, or not at all.
    async fn write(&mut self, message: Message) -> Result<()>;

    /// Queues a ping, ahead of data.
    ///
    /// # Errors
    ///
    /// `WHARF_PING_TOO_LARGE` over 125 bytes, `WHARF_CLOSED` after the end.
    ///
    /// # Cancel safety
    ///
    /// Atomic: queued whole, or not at all.
    async fn ping(&mut self, payload: Bytes) -> Result<()>;

    /// Flushes what is queued, sends the frame and waits for the peer's under the close timeout.
    /// Idempotent.
    ///
    /// # Errors
    ///
    /// What [`CloseFrame::new`] refuses.
    ///
    /// # Cancel safety
    ///
    /// Begun at the first poll, it goes on if the future is dropped.
    async fn close(&mut self, frame: CloseFrame) -> Result<()>;

    /// The selected subprotocol.
    fn subprotocol(&self) -> Option<&str>;

    /// What a message that does not decode does: the route's choice.
    fn decode_errors(&self) -> DecodeErrors {
        DecodeErrors::default()
    }

    /// The framework's own socket.
    ///
    /// # Errors
    ///
    /// `WHARF_NO_NATIVE` where the driver has none.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    async fn native(&mut self) -> Result<&mut dyn NativeSocket>;
}

#[async_trait]
impl WebSocket for Socket {
    async fn read(&mut self) -> Result<Option<Message>> {
        Self::read(self).await
    }

    async fn write(&mut self, message: Message) -> Result<()> {
        Self::write(self, message).await
    }

    async fn close(&mut self, frame: CloseFrame) -> Result<()> {
        Self::close(self, frame.code(), frame.reason().clone()).await
    }

    fn subprotocol(&self) -> Option<&str> {
        Self::subprotocol(self)
    }

    async fn ping(&mut self, payload: Bytes) -> Result<()> {
        Self::ping(self, payload)
    }

    fn decode_errors(&self) -> DecodeErrors {
        self.limits().decode_errors
    }

    async fn native(&mut self) -> Result<&mut dyn NativeSocket> {
        Self::native(self).await
    }
}
