//! Frames out.

use bytes::{BufMut, BytesMut};

use crate::{message::CloseFrame, wire::frame::OpCode};

/// Writes the header of an unfragmented server frame.
pub(super) fn put_head(out: &mut BytesMut, opcode: OpCode, payload_bytes: usize) {
    put_head_with(out, 0x80 | opcode.bits(), 0, payload_bytes);
}

/// Writes a close frame; without one, an empty close.
pub(super) fn put_close(out: &mut BytesMut, frame: Option<&CloseFrame>) {
    match frame {
        None => put_head(out, OpCode::Close, 0),
        Some(frame) => {
            put_head(out, OpCode::Close, 2 + frame.reason().len());
            out.put_u16(frame.code().as_u16());
            out.put_slice(frame.reason().as_bytes());
        }
    }
}

/// Writes a masked client frame: what the in-memory host's client and the conformance suite send.
///
/// Nothing is checked: `first` is the whole first byte, so that a test can break every rule.
pub fn encode_client_frame(out: &mut BytesMut, first: u8, mask: [u8; 4], payload: &[u8]) {
    put_head_with(out, first, 0x80, payload.len());
    out.put_slice(&mask);
    let start = out.len();
    out.put_slice(payload);
    super::mask::apply(&mut out[start..], mask, 0);
}

fn put_head_with(out: &mut BytesMut, first: u8, mask_bit: u8, payload_bytes: usize) {
    // Lengths are cast only in the arm whose range fits.
    #[allow(clippy::cast_possible_truncation)]
    match payload_bytes {
        0..=125 => out.put_slice(&[first, mask_bit | payload_bytes as u8]),
        126..=0xFFFF => {
            let [a, b] = (payload_bytes as u16).to_be_bytes();
            out.put_slice(&[first, mask_bit | 126, a, b]);
        }
        _ => {
            out.put_slice(&[first, mask_bit | 127]);
            out.put_u64(payload_bytes as u64);
        }
    }
}
