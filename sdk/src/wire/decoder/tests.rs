//! Bytes in, messages or a violation out.

use super::*;
use crate::wire::encoder::encode_client_frame;

const FIN: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CONTINUATION: u8 = 0x0;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;

fn limits() -> WireLimits {
    WireLimits {
        max_message_bytes: 100,
        max_fragments: 4,
    }
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode_client_frame(&mut out, first, [1, 2, 3, 4], payload);
    out.to_vec()
}

fn frames(frames: &[(u8, &[u8])]) -> Vec<u8> {
    frames
        .iter()
        .flat_map(|(first, payload)| frame(*first, payload))
        .collect()
}

/// Decodes bytes that arrive `step` at a time: the messages, and the violation's code if any.
fn decode(bytes: &[u8], step: usize) -> (Vec<Message>, Option<String>) {
    let mut decoder = Decoder::new(limits());
    let mut buffer = BytesMut::new();
    let mut messages = Vec::new();
    for chunk in bytes.chunks(step.max(1)) {
        buffer.extend_from_slice(chunk);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error.code().to_owned())),
            }
        }
    }
    (messages, None)
}

/// The same verdict, however the bytes are cut.
fn decode_all_ways(bytes: &[u8]) -> (Vec<Message>, Option<String>) {
    let whole = decode(bytes, bytes.len());
    for step in 1..bytes.len() {
        assert_eq!(decode(bytes, step), whole, "cut by {step}");
    }
    whole
}

#[test]
fn messages_are_whole_however_they_are_cut() {
    let bytes = frames(&[
        (FIN | TEXT, "κόσμε".as_bytes()),
        (BINARY, b"a"),
        (FIN | PING, b"between"),
        (CONTINUATION, b""),
        (FIN | CONTINUATION, b"b"),
        (FIN | BINARY, b""),
        (FIN | CLOSE, b"\x03\xe8bye"),
    ]);
    let (messages, violation) = decode_all_ways(&bytes);
    let close = CloseFrame::new(1000, "bye").expect("sendable");
    assert_eq!(violation, None);
    assert_eq!(
        messages,
        [
            Message::text("κόσμε"),
            Message::Ping("between".into()),
            Message::binary("ab"),
            Message::binary(""),
            Message::Close(Some(close)),
        ]
    );
}

#[test]
fn a_character_may_be_split_over_fragments() {
    let text = "🦀".as_bytes();
    let bytes = frames(&[
        (TEXT, &text[..1]),
        (CONTINUATION, &text[1..3]),
        (FIN, &text[3..]),
    ]);
    assert_eq!(decode_all_ways(&bytes), (vec![Message::text("🦀")], None));
}

#[test]
fn valid_messages_come_before_the_violation_behind_them() {
    let mut bytes = frame(FIN | TEXT, b"valid");
    bytes.extend(frame(FIN | 0x3, b""));
    let (messages, violation) = decode_all_ways(&bytes);
    assert_eq!(messages, [Message::text("valid")]);
    assert_eq!(violation.as_deref(), Some("WHARF_RESERVED_OPCODE"));
}

#[test]
fn every_violation_has_its_code() {
    let long = [b'x'; 101];
    let cases: [(Vec<u8>, &str); 16] = [
        (frame(FIN | 0x40 | TEXT, b""), "WHARF_RESERVED_BITS"),
        (frame(FIN | 0xB, b""), "WHARF_RESERVED_OPCODE"),
        (vec![FIN | TEXT, 1, b'x'], "WHARF_UNMASKED_FRAME"),
        (frame(PING, b""), "WHARF_FRAGMENTED_CONTROL"),
        (frame(FIN | PING, &[0; 126]), "WHARF_OVERSIZED_CONTROL"),
        (
            frame(FIN | CONTINUATION, b""),
            "WHARF_UNEXPECTED_CONTINUATION",
        ),
        (
            frames(&[(TEXT, b""), (FIN | TEXT, b"")]),
            "WHARF_EXPECTED_CONTINUATION",
        ),
        (frame(FIN | CLOSE, b"\x03"), "WHARF_INVALID_CLOSE"),
        (frame(FIN | CLOSE, b"\x03\xed"), "WHARF_INVALID_CLOSE"),
        (frame(FIN | CLOSE, b"\x03\xe8\xff"), "WHARF_INVALID_UTF8"),
        (frame(FIN | TEXT, b"\xff"), "WHARF_INVALID_UTF8"),
        (frame(FIN | TEXT, b"\xe2\x82"), "WHARF_INVALID_UTF8"),
        (
            frames(&[(TEXT, b"\xe2"), (FIN, b"x")]),
            "WHARF_INVALID_UTF8",
        ),
        (frame(FIN | BINARY, &long), "WHARF_MESSAGE_TOO_LARGE"),
        (
            frames(&[(BINARY, &long[1..]), (FIN, b"x")]),
            "WHARF_MESSAGE_TOO_LARGE",
        ),
        (
            frames(&[(BINARY, b""), (0, b""), (0, b""), (0, b""), (0, b"")]),
            "WHARF_TOO_MANY_FRAGMENTS",
        ),
    ];
    for (bytes, code) in cases {
        let (messages, violation) = decode_all_ways(&bytes);
        assert!(messages.is_empty());
        assert_eq!(violation.as_deref(), Some(code));
    }
}

#[test]
fn bad_text_fails_before_its_frame_is_complete() {
    let bytes = frame(FIN | TEXT, b"ok\xf4\x90 and more");
    let (_, violation) = decode(&bytes[..bytes.len() - 9], 1);
    assert_eq!(violation.as_deref(), Some("WHARF_INVALID_UTF8"));
}

#[test]
fn an_announced_length_is_refused_before_its_bytes_come() {
    let terabyte = [FIN | BINARY, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4];
    assert_eq!(
        decode(&terabyte, 14).1.as_deref(),
        Some("WHARF_MESSAGE_TOO_LARGE")
    );
    let negative = [FIN | BINARY, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(
        decode(&negative, 10).1.as_deref(),
        Some("WHARF_INVALID_LENGTH")
    );
}

#[test]
fn room_is_wanted_as_bytes_arrive_not_as_they_are_announced() {
    let limits = WireLimits {
        max_message_bytes: usize::MAX,
        ..limits()
    };
    let mut decoder = Decoder::new(limits);
    let gigabyte = [FIN | BINARY, 0xFF, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4];
    let mut buffer = BytesMut::from(&gigabyte[..]);
    assert!(decoder.decode(&mut buffer).expect("allowed").is_none());
    assert_eq!(decoder.wanted_bytes(0), GROWTH_BYTES);
}
