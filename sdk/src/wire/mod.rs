//! Frames and bytes: the WebSocket format, once, for every driver, and what a transport is.
//!
//! The frameworks' own codecs disagree about limits, violations and their close codes, and none
//! counts fragments or rejects bad UTF-8 before a frame is complete. So drivers carry bytes, and
//! [`WireTransport`] turns any `AsyncRead + AsyncWrite` into a [`Transport`].
//!
//! This floor stands on `message/` and `policy/`.

mod bridge;
mod connection;
pub(crate) mod decoder;
pub(crate) mod deflate;
mod encoder;
mod event_stream;
mod frame;
mod limits;
mod mask;
mod native;
mod outbox;
mod pool;
#[cfg(any(test, fuzzing))]
pub(crate) mod properties;
mod role;
mod transport;
mod utf8;
mod violation;

#[cfg(feature = "testing")]
pub(crate) use self::frame::{Head, Origin};
pub use self::{
    bridge::NativePipe,
    connection::{NativeFactory, WireTransport},
    decoder::Decoder,
    encoder::encode_client_frame,
    event_stream::EventStreamBody,
    frame::OpCode,
    limits::WireLimits,
    native::NativeSocket,
    role::{MaskKeys, Role},
    transport::{Capabilities, Traffic, Transport, Unfinished},
};
pub(crate) use self::{encoder::server_frame_bytes, event_stream::EventStream};
