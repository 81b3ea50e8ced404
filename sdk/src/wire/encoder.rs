//! Frames out.

use bytes::{BufMut, Bytes, BytesMut};

use crate::{
    message::{CloseFrame, Message},
    wire::frame::OpCode,
};

/// Masked payloads are copied this much at a time, so that what is masked is still in the cache.
/// A multiple of the key's length: every piece begins with its first byte.
const MASKED_PIECE_BYTES: usize = 4 * 1024;

/// The longest header: two bytes, eight of length, four of a key.
pub(super) const MAX_HEAD_BYTES: usize = 14;

/// What a server's frame with a payload of this size takes on the wire.
pub(crate) const fn server_frame_bytes(payload_bytes: usize) -> usize {
    let head_bytes = match payload_bytes {
        0..=125 => 2,
        126..=0xFFFF => 4,
        _ => 10,
    };
    head_bytes + payload_bytes
}

/// Writes the header of a server frame with this first byte.
#[inline]
pub(super) fn put_head(out: &mut BytesMut, first: u8, payload_bytes: usize) {
    put_head_with(out, first, 0, payload_bytes);
}

/// Writes a frame with this first byte; with a key, masked by it. The payload may be shared and
/// stays as it is.
#[inline]
pub(super) fn put_frame(out: &mut BytesMut, first: u8, key: Option<[u8; 4]>, payload: &[u8]) {
    match key {
        None => {
            put_head(out, first, payload.len());
            out.extend_from_slice(payload);
        }
        Some(key) => encode_client_frame(out, first, key, payload),
    }
}

/// The frame that a server sends for a text or binary message.
pub(super) fn server_frame(message: &Message) -> Bytes {
    let (opcode, payload) = match message {
        Message::Text(text) => (OpCode::Text, text.as_bytes().as_ref()),
        Message::Binary(bytes) => (OpCode::Binary, &bytes[..]),
        // Refused long before: only text and binary are shared.
        _ => return Bytes::new(),
    };
    let mut frame = BytesMut::with_capacity(MAX_HEAD_BYTES + payload.len());
    put_frame(&mut frame, opcode.whole(), None, payload);
    frame.freeze()
}

/// Writes a close frame; without one, an empty close.
pub(super) fn put_close(out: &mut BytesMut, key: Option<[u8; 4]>, frame: Option<&CloseFrame>) {
    let mut payload = Vec::new();
    if let Some(frame) = frame {
        payload.extend_from_slice(&frame.code().as_u16().to_be_bytes());
        payload.extend_from_slice(frame.reason().as_bytes());
    }
    put_frame(out, OpCode::Close.whole(), key, &payload);
}

/// Writes a masked client frame.
///
/// Nothing is checked: `first` is the whole first byte, so that a test can break every rule.
pub fn encode_client_frame(out: &mut BytesMut, first: u8, mask: [u8; 4], payload: &[u8]) {
    put_head_with(out, first, 0x80, payload.len());
    out.put_slice(&mask);
    for piece in payload.chunks(MASKED_PIECE_BYTES) {
        let start = out.len();
        out.put_slice(piece);
        super::mask::apply(&mut out[start..], mask, 0);
    }
}

#[inline]
fn put_head_with(out: &mut BytesMut, first: u8, mask_bit: u8, payload_bytes: usize) {
    // Lengths are cast only in the arm whose range fits.
    #[allow(clippy::cast_possible_truncation)]
    match payload_bytes {
        0..=125 => out.extend_from_slice(&[first, mask_bit | payload_bytes as u8]),
        126..=0xFFFF => {
            let [a, b] = (payload_bytes as u16).to_be_bytes();
            out.extend_from_slice(&[first, mask_bit | 126, a, b]);
        }
        _ => {
            out.extend_from_slice(&[first, mask_bit | 127]);
            out.put_u64(payload_bytes as u64);
        }
    }
}
