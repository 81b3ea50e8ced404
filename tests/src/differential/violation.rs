//! What a client must not do, with what has to come of it.

use bytes::Bytes;
use fastrand::Rng;

use super::terms::Terms;
use crate::client::{Deflate, Frame, RSV1, opcode, together};

/// The error for a frame without a name.
pub(super) const UNKNOWN: &str = "WHARF_RESERVED_OPCODE";

/// Something forbidden.
#[derive(Debug, Clone)]
pub(super) struct Violation {
    /// The error that the observers are told.
    pub(super) error: &'static str,
    /// The code that the session closes with.
    pub(super) code: u16,
    frames: Vec<Frame>,
    needs_open_message: Option<bool>,
}

impl Violation {
    fn new(code: u16, error: &'static str, frames: impl Into<Vec<Frame>>) -> Self {
        Self {
            error,
            code,
            frames: frames.into(),
            needs_open_message: None,
        }
    }

    /// The same by a server: what must be masked must not be, and the other way round.
    pub(super) fn of_a_server(mut self) -> Self {
        for frame in &mut self.frames {
            frame.mask = match frame.mask {
                Some(_) => None,
                None => Some([1, 2, 3, 4]),
            };
        }
        if self.error == "WHARF_UNMASKED_FRAME" {
            self.error = "WHARF_MASKED_FRAME";
        }
        self
    }

    fn inside(mut self, an_open_message: bool) -> Self {
        self.needs_open_message = Some(an_open_message);
        self
    }

    /// Whether it is one only inside an unfinished message, or only outside; `None` if always.
    pub(super) fn needs_open_message(&self) -> Option<bool> {
        self.needs_open_message
    }

    /// What the client sends for it.
    pub(super) fn bytes(&self) -> Bytes {
        together(self.frames.iter().cloned())
    }
}

/// Any violation that these terms know.
pub(super) fn random(rng: &mut Rng, terms: &Terms) -> Violation {
    let limit = terms.max_message_bytes as u64;
    let opcodes = [1, 2, 8, 9, 10];
    let any_opcode = opcodes[rng.usize(..opcodes.len())];
    let payload = vec![b'x'; rng.usize(..40)];
    if terms.compression.is_some() && rng.bool() {
        return deflated(rng, terms);
    }
    match rng.u8(0..17) {
        0 => protocol(
            "WHARF_UNMASKED_FRAME",
            Frame::new(control_or_data(rng), payload).unmasked(),
        )
        .inside(false),
        1 => protocol(
            "WHARF_RESERVED_BITS",
            Frame::new(any_opcode, payload).reserved(match rng.u8(1..8) {
                RSV1 if terms.compression.is_some() => RSV1 + 1,
                bits => bits,
            }),
        ),
        2 => {
            let opcodes = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15];
            let opcode = opcodes[rng.usize(..opcodes.len())];
            protocol(UNKNOWN, Frame::new(opcode, payload))
        }
        3 => {
            let frame = Frame::continuation(payload);
            let frame = if rng.bool() {
                frame.unfinished()
            } else {
                frame
            };
            protocol("WHARF_UNEXPECTED_CONTINUATION", frame).inside(false)
        }
        4 => protocol(
            "WHARF_EXPECTED_CONTINUATION",
            Frame::new(data(rng), payload),
        )
        .inside(true),
        5 => protocol(
            "WHARF_OVERSIZED_CONTROL",
            Frame::new(control(rng), vec![0; rng.usize(126..300)]),
        ),
        6 => protocol(
            "WHARF_FRAGMENTED_CONTROL",
            Frame::new(control(rng), payload).unfinished(),
        ),
        7 => protocol("WHARF_INVALID_CLOSE", Frame::new(opcode::CLOSE, "x")),
        8 => {
            let codes = [
                0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535,
            ];
            let code = codes[rng.usize(..codes.len())];
            protocol("WHARF_INVALID_CLOSE", Frame::close(code, "why"))
        }
        9 => Violation::new(
            1007,
            "WHARF_INVALID_UTF8",
            [Frame::close(1000, not_utf8(rng))],
        ),
        10 => protocol(
            "WHARF_INVALID_LENGTH",
            Frame::new(data(rng), payload).announcing(1 << 63 | rng.u64(..)),
        )
        .inside(false),
        11 => too_large(Frame::new(data(rng), payload).announcing(limit + 1 + rng.u64(..1 << 40))),
        12 => {
            // The announcement of a fragment counts as soon as it is there.
            let first = Frame::new(data(rng), vec![b'x'; 10]).unfinished();
            let rest = Frame::continuation("x").announcing(limit - 9);
            Violation::new(1009, "WHARF_MESSAGE_TOO_LARGE", [first, rest]).inside(false)
        }
        13 if terms.max_fragments < 10 => {
            let mut frames = vec![Frame::text("x").unfinished()];
            let more =
                std::iter::repeat_n(Frame::continuation("").unfinished(), terms.max_fragments);
            frames.extend(more);
            Violation::new(1009, "WHARF_TOO_MANY_FRAGMENTS", frames).inside(false)
        }
        14 => {
            let mut payload = b"text, then ".to_vec();
            payload.extend(not_utf8(rng));
            let cut = rng.usize(..=payload.len());
            let first = Frame::new(opcode::TEXT, payload[..cut].to_vec()).unfinished();
            let rest = Frame::continuation(payload[cut..].to_vec());
            Violation::new(1007, "WHARF_INVALID_UTF8", [first, rest]).inside(false)
        }
        _ => {
            let mut payload = "ä".repeat(rng.usize(..20)).into_bytes();
            payload.extend(not_utf8(rng));
            let frame = Frame::new(opcode::TEXT, payload);
            Violation::new(1007, "WHARF_INVALID_UTF8", [frame]).inside(false)
        }
    }
}

/// What may not be compressed, and what does not come out of it.
fn deflated(rng: &mut Rng, terms: &Terms) -> Violation {
    // Where messages refer to earlier ones, this one does not.
    let message = |payload: &[u8]| Deflate::of_a_client(6, false).deflate(payload);
    let compressed = |opcode, payload: Vec<u8>| Frame::new(opcode, payload).reserved(RSV1);
    match rng.u8(0..6) {
        0 => protocol(
            "WHARF_RESERVED_BITS",
            compressed(control(rng), vec![0; rng.usize(..40)]),
        ),
        1 => protocol(
            "WHARF_RESERVED_BITS",
            compressed(opcode::CONTINUATION, message(b"x")),
        )
        .inside(true),
        2 => {
            // The kind of block that there is not.
            let nonsense = vec![rng.u8(..) | 0b110; rng.usize(1..300)];
            let frame = compressed(data(rng), nonsense);
            Violation::new(1007, "WHARF_INVALID_DEFLATE", [frame]).inside(false)
        }
        3 => {
            let mut cut = message(&vec![b'x'; terms.max_message_bytes.min(200)]);
            cut.truncate(cut.len() / 2);
            let frame = compressed(opcode::BINARY, cut);
            Violation::new(1007, "WHARF_INVALID_DEFLATE", [frame]).inside(false)
        }
        4 => {
            let mut text = "ä".repeat(rng.usize(..20)).into_bytes();
            text.extend(not_utf8(rng));
            let frame = compressed(opcode::TEXT, message(&text));
            Violation::new(1007, "WHARF_INVALID_UTF8", [frame]).inside(false)
        }
        _ => {
            let more = terms.max_message_bytes + rng.usize(1..100_000);
            too_large(compressed(opcode::BINARY, message(&vec![0; more])))
        }
    }
}

fn protocol(error: &'static str, frame: Frame) -> Violation {
    Violation::new(1002, error, [frame])
}

fn too_large(frame: Frame) -> Violation {
    Violation::new(1009, "WHARF_MESSAGE_TOO_LARGE", [frame]).inside(false)
}

fn data(rng: &mut Rng) -> u8 {
    if rng.bool() {
        opcode::TEXT
    } else {
        opcode::BINARY
    }
}

fn control(rng: &mut Rng) -> u8 {
    [opcode::CLOSE, opcode::PING, opcode::PONG][rng.usize(..3)]
}

fn control_or_data(rng: &mut Rng) -> u8 {
    if rng.bool() { data(rng) } else { control(rng) }
}

/// Bytes with which no text ends.
fn not_utf8(rng: &mut Rng) -> Vec<u8> {
    let wrong: [&[u8]; 9] = [
        b"\xFF",
        b"\xC3\x28",
        b"\xC0\x80",
        b"\xED\xA0\x80",
        b"\xF4\x90\x80\x80",
        b"\xF8\x88\x80\x80\x80",
        b"\xE4\xB8",
        b"\x80",
        b"\xF0\x9F\x98",
    ];
    wrong[rng.usize(..wrong.len())].to_vec()
}
