//! Frames made once, written many times.

use std::io;
use std::ops::Range;

/// Copies of a small frame lie side by side up to about this size, so that one write takes many.
const WIRE_BYTES: usize = 128 << 10;

/// Any key does: an echo server unmasks the same way whatever it is.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Text or binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text message, of ASCII letters.
    Text,
    /// A binary message.
    Binary,
}

impl Kind {
    /// The kind's name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }

    /// First byte of an unfragmented frame: FIN and opcode (RFC 6455, section 5.2).
    fn first_byte(self) -> u8 {
        match self {
            Self::Text => 0x81,
            Self::Binary => 0x82,
        }
    }
}

/// One message: as a client sends it, masked, and what a server answers.
#[derive(Debug)]
pub struct Frame {
    wire: Vec<u8>,
    frame_bytes: usize,
    answer: Vec<u8>,
}

impl Frame {
    /// A message of `payload_bytes` bytes, which comes back as it is.
    pub fn new(kind: Kind, payload_bytes: usize) -> Self {
        let payload: Vec<u8> = (b'a'..=b'z').cycle().take(payload_bytes).collect();
        Self::exchange(kind, &payload, &payload)
    }

    /// A message, and what is answered to it.
    pub fn exchange(kind: Kind, payload: &[u8], answered: &[u8]) -> Self {
        let mut answer = header(kind.first_byte(), answered.len(), 0);
        answer.extend_from_slice(answered);
        let frame = masked(kind.first_byte(), payload);
        let copies = (WIRE_BYTES / frame.len()).max(1);
        Self {
            wire: frame.repeat(copies),
            frame_bytes: frame.len(),
            answer,
        }
    }

    /// Length of the frame that a client sends.
    pub fn sent_bytes(&self) -> usize {
        self.frame_bytes
    }

    /// The frame that a server answers.
    pub fn answer(&self) -> &[u8] {
        &self.answer
    }

    /// What to write next, if `sent` bytes of a stream of such frames have gone and `owed` are
    /// still to go. Never empty unless nothing is owed.
    pub fn next_bytes(&self, sent: u64, owed: usize) -> &[u8] {
        let within = sent % self.frame_bytes as u64;
        let start = usize::try_from(within).expect("a remainder is less than the frame's length");
        let range: Range<usize> = start..self.wire.len().min(start.saturating_add(owed));
        &self.wire[range]
    }

    /// Checks bytes that should be the answered frame.
    ///
    /// # Errors
    ///
    /// They are not.
    pub fn check_answer(&self, received: &[u8]) -> io::Result<()> {
        if received == self.answer {
            return Ok(());
        }
        Err(io::Error::other(
            "the server's answer is not the expected one in one frame",
        ))
    }
}

/// A client's frame.
pub(super) fn masked(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first_byte, payload.len(), 0x80);
    frame.extend_from_slice(&MASK);
    let keys = MASK.iter().cycle();
    frame.extend(payload.iter().zip(keys).map(|(byte, key)| byte ^ key));
    frame
}

/// Frame header without the masking key; `mask_bit` is 0x80 or 0.
fn header(first_byte: u8, payload_bytes: usize, mask_bit: u8) -> Vec<u8> {
    let mut header = vec![first_byte];
    // The length takes 7 bits, 16 bits or 64 bits (RFC 6455, section 5.2).
    match (u8::try_from(payload_bytes), u16::try_from(payload_bytes)) {
        (Ok(short @ ..=125), _) => header.push(mask_bit | short),
        (_, Ok(medium)) => {
            header.push(mask_bit | 126);
            header.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            header.push(mask_bit | 127);
            header.extend_from_slice(&(payload_bytes as u64).to_be_bytes());
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_all_three_lengths() {
        assert_eq!(header(0x81, 125, 0), [0x81, 125]);
        assert_eq!(header(0x82, 126, 0x80), [0x82, 0x80 | 126, 0, 126]);
        assert_eq!(header(0x81, 65_535, 0), [0x81, 126, 0xff, 0xff]);
        assert_eq!(header(0x81, 65_536, 0), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn the_sent_payload_unmasks_to_the_echoed_one() {
        let frame = Frame::new(Kind::Text, 64);
        assert_eq!(frame.sent_bytes(), 2 + 4 + 64);
        let masked = &frame.wire[6..frame.sent_bytes()];
        let unmasked: Vec<u8> = masked
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(a, b)| a ^ b)
            .collect();
        assert_eq!(unmasked, frame.answer()[2..]);
        assert!(frame.check_answer(frame.answer()).is_ok());
        assert!(frame.check_answer(&frame.answer()[1..]).is_err());
    }

    #[test]
    fn written_piecewise_the_stream_is_frame_after_frame() {
        for payload_bytes in [16, 300_000] {
            let frame = Frame::new(Kind::Binary, payload_bytes);
            let one = frame.next_bytes(0, frame.sent_bytes()).to_vec();
            let mut written = Vec::new();
            while written.len() < 5 * one.len() {
                let owed = (5 * one.len() - written.len()).min(1 + one.len() * 2 / 3);
                let bytes = frame.next_bytes(written.len() as u64, owed);
                assert!(!bytes.is_empty() && bytes.len() <= owed);
                written.extend_from_slice(bytes);
            }
            assert_eq!(written, one.repeat(5));
        }
    }
}
