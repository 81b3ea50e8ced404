//! The WebSocket frame format, once, for every driver.
//!
//! The frameworks' own codecs disagree about limits, violations and their close codes, and none
//! counts fragments or rejects bad UTF-8 before a frame is complete. So drivers carry bytes, and
//! [`WireTransport`] turns any `AsyncRead + AsyncWrite` into a
//! [`Transport`](crate::transport::Transport).

mod bridge;
pub(crate) mod decoder;
mod encoder;
mod frame;
mod mask;
mod outbox;
mod pool;
#[cfg(any(test, fuzzing))]
pub(crate) mod properties;
mod transport;
mod utf8;

pub use self::{
    bridge::{NativePipe, NativeSocket},
    decoder::Decoder,
    encoder::encode_client_frame,
    frame::OpCode,
    transport::{NativeFactory, WireTransport},
};

use crate::error::{Error, ErrorKind};

/// What the decoder enforces while bytes arrive.
#[derive(Debug, Clone, Copy)]
pub struct WireLimits {
    /// The largest message, reassembled, in bytes.
    pub max_message_bytes: usize,
    /// The largest number of fragments of one message.
    pub max_fragments: usize,
}

fn protocol(code: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::Protocol, code, message)
}

fn invalid_utf8() -> Error {
    Error::new(
        ErrorKind::InvalidData,
        "WHARF_INVALID_UTF8",
        "text must be valid UTF-8; send other data as binary",
    )
}
