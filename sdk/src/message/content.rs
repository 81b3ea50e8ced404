//! What travels over a socket.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;

use crate::message::{
    close::CloseFrame,
    error::{Error, ErrorKind, Result},
};

/// One WebSocket message, whole: fragments are reassembled before a handler sees them.
///
/// Text is a [`ByteString`] and binary a [`Bytes`]: cloning either is a reference count, and a
/// message that is read can be written again without copying its payload.
///
/// ```
/// use wharf_sdk::{Bytes, Message};
///
/// let text: Message = "hello".into();
/// let binary = Message::from(vec![1, 2, 3]);
/// assert_eq!(text.as_text(), Some("hello"));
/// assert_eq!(binary, Message::Binary(Bytes::from_static(&[1, 2, 3])));
/// assert_eq!(format!("{text:?}"), "text(5 bytes)"); // payloads stay out of logs
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// UTF-8 text.
    Text(ByteString),
    /// Arbitrary bytes.
    Binary(Bytes),
    /// A ping from the peer. Wharf has queued the answer already; only routes that ask for
    /// control frames see it.
    Ping(Bytes),
    /// A pong from the peer; only routes that ask for control frames see it.
    Pong(Bytes),
    /// The peer's close frame; only routes that ask for control frames see it, once, right before
    /// `read` ends.
    Close(Option<CloseFrame>),
    /// A frame that the transport surfaced and the protocol has no name for. Boxed: it is rare, and
    /// would make every message larger.
    Unknown(Box<UnknownFrame>),
}

impl Message {
    /// Makes a text message.
    pub fn text(text: impl Into<ByteString>) -> Self {
        Self::Text(text.into())
    }

    /// Makes a binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// Makes a text message of a value as JSON.
    ///
    /// # Errors
    ///
    /// `WHARF_ENCODE` if the value cannot be JSON, such as a map whose keys are no strings.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        serde_json::to_string(value)
            .map(Self::from)
            .map_err(|cause| {
                Error::new(
                    ErrorKind::InvalidInput,
                    "WHARF_ENCODE",
                    "the value cannot be encoded as JSON; see the private cause",
                )
                .with_source(cause)
            })
    }

    /// The kind of this message, without its payload.
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
            Self::Ping(_) => MessageKind::Ping,
            Self::Pong(_) => MessageKind::Pong,
            Self::Close(_) => MessageKind::Close,
            Self::Unknown(_) => MessageKind::Unknown,
        }
    }

    /// Whether this is text or binary, the two kinds that `write` takes.
    pub fn is_data(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Binary(_))
    }

    /// Whether this is a ping, a pong or a close frame.
    pub(crate) fn is_control(&self) -> bool {
        matches!(self, Self::Ping(_) | Self::Pong(_) | Self::Close(_))
    }

    /// The number of payload bytes, headers not counted.
    pub fn payload_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => bytes.len(),
            Self::Close(None) => 0,
            Self::Close(Some(frame)) => 2 + frame.reason().len(),
            Self::Unknown(frame) => frame.payload.len(),
        }
    }

    /// Makes a small payload own a compact copy instead of pinning a read buffer.
    ///
    /// What was read is a slice of the buffer that it was read into, some 32 KiB, and keeps all of
    /// it. Wharf does this with what waits in its queues; do it with what you keep.
    pub fn compact(&mut self) {
        match self {
            Self::Text(text) if is_small(text.len()) => *text = ByteString::from(&**text),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes)
                if is_small(bytes.len()) =>
            {
                *bytes = Bytes::copy_from_slice(bytes);
            }
            Self::Unknown(frame) if is_small(frame.payload.len()) => {
                frame.payload = Bytes::copy_from_slice(&frame.payload);
            }
            _ => {}
        }
    }

    /// The text, if this is a text message.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text, if this is a text message, without a copy.
    pub fn into_text(self) -> Option<ByteString> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Whether a payload may be much smaller than the buffer that it was read into.
fn is_small(payload_bytes: usize) -> bool {
    payload_bytes < 16 * 1024
}

/// Prints the kind and the size, never the payload: messages end up in logs.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({} bytes)", self.kind(), self.payload_bytes())
    }
}

impl From<ByteString> for Message {
    fn from(text: ByteString) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

/// The kind of a [`Message`].
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// [`Message::Text`]
    Text,
    /// [`Message::Binary`]
    Binary,
    /// [`Message::Ping`]
    Ping,
    /// [`Message::Pong`]
    Pong,
    /// [`Message::Close`]
    Close,
    /// [`Message::Unknown`]
    Unknown,
}

impl MessageKind {
    /// The lower-case name, as error messages and logs show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::Close => "close",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A frame that a transport surfaced and that is none of the named kinds.
///
/// Transports built on Wharf's own frame codec never surface one: a reserved opcode is a protocol
/// violation there. A transport over a library that lets such frames through hands them on here
/// rather than dropping them in silence.
#[derive(Clone, PartialEq, Eq)]
pub struct UnknownFrame {
    /// What the library calls it, or its opcode.
    pub label: ByteString,
    /// Its payload as it came.
    pub payload: Bytes,
}

impl UnknownFrame {
    /// Makes an unknown frame with a label and its payload.
    pub fn new(label: impl Into<ByteString>, payload: impl Into<Bytes>) -> Self {
        Self {
            label: label.into(),
            payload: payload.into(),
        }
    }
}

impl fmt::Debug for UnknownFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({} bytes)", self.label, self.payload.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_payload_and_its_kind() {
        // They are moved from queue to queue, and wait there.
        let words = size_of::<Message>() / size_of::<usize>();
        assert_eq!(words, 1 + size_of::<Bytes>() / size_of::<usize>());
    }

    #[test]
    fn debug_never_prints_a_payload() {
        let shown = format!("{:?}", Message::text("secret"));
        assert_eq!(shown, "text(6 bytes)");
    }

    #[test]
    fn a_value_is_text_and_text_is_taken_out() {
        let message = Message::json(&[1, 2]).expect("JSON");
        assert_eq!(message.into_text().as_deref(), Some("[1,2]"));
        let keyed = std::collections::HashMap::from([((1, 2), 3)]);
        let error = Message::json(&keyed).expect_err("no keys of JSON");
        assert_eq!(error.code(), "WHARF_ENCODE");
        assert_eq!(Message::binary("b").into_text(), None);
    }

    #[test]
    fn payload_bytes_counts_the_close_code() {
        let frame = CloseFrame::new(crate::CloseCode::NORMAL, "bye").expect("sendable");
        assert_eq!(Message::Close(Some(frame)).payload_bytes(), 5);
    }
}
