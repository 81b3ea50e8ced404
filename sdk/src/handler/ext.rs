//! Comforts on every socket.

use std::{any::TypeId, future::Future};

use bytes::Bytes;
use bytestring::ByteString;
use serde::{Serialize, de::DeserializeOwned};
use tokio::task::AbortHandle;

use crate::{
    handler::{codec, websocket::WebSocket},
    message::{CloseCode, ConnectionId, Error, ErrorKind, Message, MessageKind, Result},
    policy::{DecodeErrors, SlowClient},
    session::Gap,
};

/// What a [`Socket`](crate::Socket) can do and a trait object cannot say by itself, and reads and
/// writes of one kind, on anything that is a [`WebSocket`].
///
/// What a message of the wrong kind or shape does is the route's
/// [`DecodeErrors`] policy; by default the read returns a typed error.
///
/// There is no need to implement this trait: every [`WebSocket`] has it.
///
/// ```
/// use wharf_sdk::{Result, WebSocket, WebSocketExt};
///
/// async fn shout(socket: &mut dyn WebSocket) -> Result<()> {
///     while let Some(text) = socket.read_text().await? {
///         socket.write(text.to_uppercase()).await?;
///     }
///     Ok(())
/// }
/// ```
pub trait WebSocketExt: WebSocket {
    /// Queues a text or binary message, waiting for room if the route's policy says so. It leaves
    /// at the latest when the handler yields.
    ///
    /// # Errors
    ///
    /// `WHARF_CONTROL_WRITE` for other kinds (nothing is sent, the socket stays usable),
    /// `WHARF_OUTBOUND_TOO_LARGE`, `WHARF_BACKPRESSURE`, `WHARF_CLOSED`.
    ///
    /// # Cancel safety
    ///
    /// Atomic: queued whole, or not at all.
    fn write(
        &mut self,
        message: impl Into<Message> + Send,
    ) -> impl Future<Output = Result<()>> + Send {
        self.write_message(message.into())
    }

    /// Queues a ping with this payload, ahead of data.
    ///
    /// # Errors
    ///
    /// `WHARF_PING_TOO_LARGE` over 125 bytes, `WHARF_CLOSED` after the end.
    fn ping(&mut self, payload: impl Into<Bytes>) -> Result<()> {
        self.sender().ping(payload)
    }

    /// Queues a pong that no ping asked for, ahead of data.
    ///
    /// # Errors
    ///
    /// As [`ping`](Self::ping).
    fn pong(&mut self, payload: impl Into<Bytes>) -> Result<()> {
        self.sender().pong(payload)
    }

    /// Flushes what is queued, closes with this code and reason, and waits until the peer has
    /// answered or the close timeout has passed. Idempotent.
    ///
    /// # Errors
    ///
    /// `WHARF_CLOSE_CODE` and `WHARF_CLOSE_REASON` for what may not be sent; the socket stays
    /// usable.
    ///
    /// # Cancel safety
    ///
    /// Begun when it is called, it goes on if the future is dropped.
    fn close(
        &mut self,
        code: impl Into<CloseCode>,
        reason: impl Into<ByteString>,
    ) -> impl Future<Output = Result<()>> + Send {
        let sender = self.sender();
        let begun = sender.start_close(code, reason);
        async move {
            begun?;
            sender.closed().await;
            Ok(())
        }
    }

    /// Waits until the end of the session has begun: abandon work then. It borrows nothing, so that
    /// a `select!` can wait for it beside a read.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    fn closing(&self) -> impl Future<Output = ()> + Send + use<Self> {
        let sender = self.sender();
        async move { sender.closing().await }
    }

    /// Whether the end of the session has begun.
    fn is_closing(&self) -> bool {
        self.sender().is_closing()
    }

    /// Waits until the close handshake is over or the connection is gone.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    fn closed(&self) -> impl Future<Output = ()> + Send + use<Self> {
        let sender = self.sender();
        async move { sender.closed().await }
    }

    /// Runs a future beside the handler, on a task of its own that ends with the session.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wharf_sdk::{Result, Socket, WebSocketExt};
    ///
    /// async fn clock(mut socket: Socket) -> Result<()> {
    ///     let sender = socket.sender();
    ///     socket.spawn(async move {
    ///         loop {
    ///             let _ = sender.send("tick").await;
    ///             tokio::time::sleep(Duration::from_secs(1)).await;
    ///         }
    ///     });
    ///     while socket.read().await?.is_some() {}
    ///     Ok(())
    /// }
    /// # wharf_sdk::Route::new("/", clock);
    /// ```
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let sender = self.sender();
        let task = tokio::spawn(async move {
            tokio::select! {
                biased;
                () = sender.closed() => {}
                () = future => {}
            }
        });
        task.abort_handle()
    }

    /// The connection's id.
    fn id(&self) -> ConnectionId {
        self.info().id()
    }

    /// The selected subprotocol.
    fn subprotocol(&self) -> Option<&str> {
        self.info().subprotocol()
    }

    /// What was dropped since the last call, if anything was.
    fn take_gap(&mut self) -> Option<Gap> {
        self.sender().take_gap()
    }

    /// Waits until messages were dropped, and takes the gap; `None` once the session has ended. It
    /// borrows nothing, so that a `select!` can wait for it beside a read.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    fn next_gap(&self) -> impl Future<Output = Option<Gap>> + Send + use<Self> {
        let sender = self.sender();
        async move { sender.next_gap().await }
    }

    /// Queues a message under this policy instead of the route's; see
    /// [`Sender::send_under`](crate::Sender::send_under).
    ///
    /// # Errors
    ///
    /// What `write` returns.
    ///
    /// # Cancel safety
    ///
    /// Atomic: queued whole, or not at all.
    fn write_under(
        &mut self,
        policy: SlowClient,
        message: impl Into<Message> + Send,
    ) -> impl Future<Output = Result<()>> + Send {
        let sender = self.sender();
        async move { sender.send_under(policy, message).await }
    }

    /// The part of the framework's own socket that is a `T`, such as
    /// `axum::extract::ws::WebSocket` or `actix_ws::Session`.
    ///
    /// # Errors
    ///
    /// `WHARF_NO_NATIVE` where the driver has none or it is something else.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    fn native_as<T: 'static>(&mut self) -> impl Future<Output = Result<&mut T>> + Send {
        async move {
            let native = self.native().await?;
            let name = native.type_name();
            let part = native.part(TypeId::of::<T>());
            part.and_then(|part| part.downcast_mut()).ok_or_else(|| {
                Error::new(
                    ErrorKind::Unsupported,
                    "WHARF_NO_NATIVE",
                    "the native socket of this driver is another type",
                )
                .with_context("native", name)
            })
        }
    }

    /// The next message, which must be text; `None` once the session ends.
    ///
    /// # Errors
    ///
    /// `WHARF_WRONG_KIND` for other kinds, and what `read` returns.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe under [`DecodeErrors::Return`]. Under the other policies, a cancelled read may
    /// have taken a message that does not decode, never one that does.
    fn read_text(&mut self) -> impl Future<Output = Result<Option<ByteString>>> + Send {
        read_as(self, |message| match message {
            Message::Text(text) => Ok(text),
            other => Err(codec::wrong_kind(MessageKind::Text, other.kind())),
        })
    }

    /// The next message, which must be binary; `None` once the session ends.
    ///
    /// # Errors
    ///
    /// `WHARF_WRONG_KIND` for other kinds, and what `read` returns.
    ///
    /// # Cancel safety
    ///
    /// As [`read_text`](Self::read_text).
    fn read_bytes(&mut self) -> impl Future<Output = Result<Option<Bytes>>> + Send {
        read_as(self, |message| match message {
            Message::Binary(bytes) => Ok(bytes),
            other => Err(codec::wrong_kind(MessageKind::Binary, other.kind())),
        })
    }

    /// The next message, which must be JSON text of this type; `None` once the session ends.
    ///
    /// # Errors
    ///
    /// `WHARF_WRONG_KIND` for other kinds, `WHARF_INVALID_JSON` naming the path to what does not
    /// fit, and what `read` returns.
    ///
    /// # Cancel safety
    ///
    /// As [`read_text`](Self::read_text).
    fn read_json<T: DeserializeOwned + Send>(
        &mut self,
    ) -> impl Future<Output = Result<Option<T>>> + Send {
        read_as(self, |message| codec::decode_json(&message))
    }

    /// Queues a text message.
    ///
    /// # Errors
    ///
    /// What `write` returns.
    ///
    /// # Cancel safety
    ///
    /// Atomic: queued whole, or not at all.
    fn write_text(
        &mut self,
        text: impl Into<ByteString> + Send,
    ) -> impl Future<Output = Result<()>> + Send {
        self.write_message(Message::Text(text.into()))
    }

    /// Queues a binary message.
    ///
    /// # Errors
    ///
    /// What `write` returns.
    ///
    /// # Cancel safety
    ///
    /// Atomic: queued whole, or not at all.
    fn write_bytes(
        &mut self,
        bytes: impl Into<Bytes> + Send,
    ) -> impl Future<Output = Result<()>> + Send {
        self.write_message(Message::Binary(bytes.into()))
    }

    /// Queues a value as JSON text.
    ///
    /// # Errors
    ///
    /// `WHARF_ENCODE` for a value that cannot be encoded, and what `write` returns.
    ///
    /// # Cancel safety
    ///
    /// Atomic: queued whole, or not at all.
    fn write_json<T: Serialize + Sync>(
        &mut self,
        value: &T,
    ) -> impl Future<Output = Result<()>> + Send {
        let message = codec::encode_json(value);
        async move { self.write_message(message?).await }
    }
}

impl<W: WebSocket + ?Sized> WebSocketExt for W {}

/// Reads until a message decodes, the policy returns its error, or the session ends.
pub(crate) async fn read_as<W, T>(
    socket: &mut W,
    decode: impl Fn(Message) -> Result<T> + Send,
) -> Result<Option<T>>
where
    W: WebSocket + ?Sized,
    T: Send,
{
    loop {
        let message = match socket.read().await? {
            None => return Ok(None),
            // Routes that ask for control frames see them through `read`.
            Some(Message::Ping(_) | Message::Pong(_) | Message::Close(_)) => continue,
            Some(message) => message,
        };
        let limits = socket.limits();
        let kept = limits.decode_answer.is_some().then(|| message.clone());
        let error = match decode(message) {
            Ok(value) => return Ok(Some(value)),
            Err(error) => error,
        };
        match (socket.limits().decode_errors, error.close_frame()) {
            (DecodeErrors::Answer, _) => {
                let own = socket.limits().decode_answer.as_ref();
                let own = own.zip(kept).map(|(own, message)| own.of(&error, &message));
                let answer = own.unwrap_or_else(|| codec::answer(&error));
                socket.write_message(answer).await?;
            }
            (DecodeErrors::Close, Some(frame)) => {
                socket.close(frame.code(), frame.reason().clone()).await?;
                return Err(error);
            }
            _ => return Err(error),
        }
    }
}
