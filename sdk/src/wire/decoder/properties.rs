//! Arbitrary bytes, cut anywhere.

use arbitrary::{Arbitrary, Unstructured};

use super::*;
use crate::wire::encoder::{encode_client_frame, put_close};

/// However the bytes of a stream are cut, the same messages come out of it and the same violation,
/// and no more is ever held than the limit allows.
///
/// # Errors
///
/// Never.
pub fn frames_decode_however_they_are_cut(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let limits = WireLimits {
        max_message_bytes: u.int_in_range(1..=300)?,
        max_fragments: u.int_in_range(1..=5)?,
    };
    let cuts: Vec<u8> = <&[u8]>::arbitrary(u)?.iter().take(32).copied().collect();
    let stream = stream(u)?;
    let whole = decode(limits, [&stream[..]]);
    let mut pieces = Vec::new();
    let mut rest = &stream[..];
    for cut in cuts {
        let (piece, behind) = rest.split_at(usize::from(cut).min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    assert_eq!(decode(limits, pieces), whole);
    assert_eq!(decode(limits, stream.chunks(1)), whole);
    Ok(())
}

/// A close payload is parsed as the protocol says, and what may be sent survives the way.
///
/// # Errors
///
/// Never.
pub fn closes_are_parsed(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let code = match u.ratio(1, 2)? {
        true => u16::arbitrary(u)?,
        false => u.int_in_range(995..=1020)?,
    };
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend(<&[u8]>::arbitrary(u)?.iter().take(140));
    payload.truncate(u.int_in_range(0..=142)?);

    let mut frame = BytesMut::new();
    encode_client_frame(&mut frame, 0x88, u.arbitrary()?, &payload);
    let limits = WireLimits {
        max_message_bytes: 1,
        max_fragments: 1,
    };
    let (messages, violation) = decode(limits, [&frame[..]]);
    let is_sendable = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
    let reason = std::str::from_utf8(payload.get(2..).unwrap_or_default());
    let expected = match payload.len() {
        0 => None,
        126.. => Some("WHARF_OVERSIZED_CONTROL"),
        1 => Some("WHARF_INVALID_CLOSE"),
        _ if !is_sendable => Some("WHARF_INVALID_CLOSE"),
        _ => reason.is_err().then_some("WHARF_INVALID_UTF8"),
    };
    assert_eq!(violation.as_deref(), expected);

    let Ok(reason) = reason else {
        return Ok(());
    };
    let made = CloseFrame::new(code, reason);
    assert_eq!(made.is_ok(), is_sendable && reason.len() <= 123);
    if let (2.., Ok(made)) = (payload.len(), made) {
        assert!(messages == [Message::Close(Some(made.clone()))]);
        let mut sent = BytesMut::new();
        put_close(&mut sent, None, Some(&made));
        let received = Decoder::for_client(limits).decode(&mut sent);
        assert!(received.expect("valid") == Some(Message::Close(Some(made))));
    }
    Ok(())
}

/// The messages and the code of the violation behind them, if there is one.
fn decode<'a>(
    limits: WireLimits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Message>, Option<String>) {
    let mut decoder = Decoder::new(limits);
    let mut buffer = BytesMut::new();
    let mut messages = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error.code().to_owned())),
            }
        }
        check_held(&decoder, &buffer);
    }
    for message in &messages {
        assert!(message.payload_bytes() <= limits.max_message_bytes.max(125));
    }
    (messages, None)
}

fn check_held(decoder: &Decoder, buffer: &BytesMut) {
    let limit = decoder.max_message_bytes;
    let message = decoder.message.as_ref();
    let joined = message.map_or(0, |message| message.payload.len());
    let arriving = match &decoder.frame {
        Some(frame) => {
            assert!(buffer.len() < frame.payload_bytes, "a whole frame was left");
            frame.payload_bytes
        }
        None => {
            assert!(buffer.len() < 14, "a whole header was left");
            0
        }
    };
    let is_control = |frame: &Frame| frame.opcode.is_control();
    let limit = match decoder.frame.as_ref().is_some_and(is_control) {
        true => limit + 125,
        false => limit,
    };
    assert!(
        joined + arriving <= limit,
        "{joined} and {arriving} are held"
    );
    if let Some(message) = message {
        assert!(message.fragments <= decoder.max_fragments);
    }
    assert!(decoder.wanted_bytes(buffer.len()) <= arriving);
}

/// Frames as a client sends them, more or less, and sometimes anything at all.
fn stream(u: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    let mut stream = BytesMut::new();
    let mut is_open = false;
    while !u.is_empty() && stream.len() < 2000 {
        let likely = match is_open {
            false => [0x81, 0x82, 0x01, 0x02, 0x89],
            true => [0x00, 0x00, 0x80, 0x80, 0x8A],
        };
        let first = match u.ratio(15, 16)? {
            true => *u.choose(&likely)?,
            false => u8::arbitrary(u)?,
        };
        if first & 0x08 == 0 {
            is_open = first & 0x80 == 0;
        }
        match u.int_in_range(0..=31)? {
            0 => stream.extend_from_slice(<&[u8]>::arbitrary(u)?),
            1 => stream.extend_from_slice(&[first, 0xFF, 0, 0, 1]),
            2..=11 => {
                let text = "κόσμε 🦀".as_bytes();
                let start = u.int_in_range(0..=text.len())?;
                let end = u.int_in_range(start..=text.len())?;
                encode_client_frame(&mut stream, first, u.arbitrary()?, &text[start..end]);
            }
            12..=21 => encode_client_frame(&mut stream, first, u.arbitrary()?, b"plain"),
            22..=29 => {
                let payload = vec![b'x'; u.int_in_range(0..=310)?];
                encode_client_frame(&mut stream, first, u.arbitrary()?, &payload);
            }
            _ => {
                let payload = <&[u8]>::arbitrary(u)?;
                encode_client_frame(&mut stream, first, u.arbitrary()?, payload);
            }
        }
    }
    Ok(stream.to_vec())
}
