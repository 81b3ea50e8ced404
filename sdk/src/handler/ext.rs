//! Comforts on every socket.

use std::future::Future;

use bytes::Bytes;
use bytestring::ByteString;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    codec::{self},
    handler::websocket::WebSocket,
    message::{CloseCode, CloseFrame, Message, MessageKind, Result},
    policy::DecodeErrors,
};

/// Reads and writes of one kind, on anything that is a [`WebSocket`].
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
///         socket.write_text(text.to_uppercase()).await?;
///     }
///     Ok(())
/// }
/// ```
pub trait WebSocketExt: WebSocket {
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
        self.write(Message::Text(text.into()))
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
        self.write(Message::Binary(bytes.into()))
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
        async move { self.write(message?).await }
    }

    /// Closes with this code and reason; see [`WebSocket::close`].
    ///
    /// # Errors
    ///
    /// `WHARF_CLOSE_CODE` and `WHARF_CLOSE_REASON` for what may not be sent.
    ///
    /// # Cancel safety
    ///
    /// Begun at the first poll, it goes on if the future is dropped.
    fn close_with(
        &mut self,
        code: impl Into<CloseCode> + Send,
        reason: impl Into<ByteString> + Send,
    ) -> impl Future<Output = Result<()>> + Send {
        let frame = CloseFrame::new(code, reason);
        async move { self.close(frame?).await }
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
            Some(message) if !message.is_data() => continue,
            Some(message) => message,
        };
        let error = match decode(message) {
            Ok(value) => return Ok(Some(value)),
            Err(error) => error,
        };
        match (socket.decode_errors(), error.close_frame()) {
            (DecodeErrors::Answer, _) => socket.write(codec::answer(&error)).await?,
            (DecodeErrors::Close, Some(frame)) => {
                socket.close(frame.clone()).await?;
                return Err(error);
            }
            _ => return Err(error),
        }
    }
}
