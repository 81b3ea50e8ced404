//! What one side compresses, the other inflates; and what nobody compressed does no harm.

use std::task::{Context, Poll, Waker};

use arbitrary::{Arbitrary, Unstructured};
use bytes::{Bytes, BytesMut};

use crate::{
    message::{ErrorKind, Message},
    policy::{DeflateParams, DeflateSide},
    wire::{
        Role, WireLimits,
        decoder::Decoder,
        deflate::{Deflater, Large},
        encoder::encode_client_frame,
        frame::OpCode,
        outbox::Outbox,
    },
};

/// Messages come out as they went in, over kept contexts, whatever the parameters, fragments and
/// packets are, and whichever of them were compressed.
///
/// # Errors
///
/// Never.
pub fn deflated_messages_come_out_as_they_went_in(
    u: &mut Unstructured<'_>,
) -> arbitrary::Result<()> {
    let params = params(u)?;
    let mut decoder = Decoder::new(WireLimits {
        max_message_bytes: 1 << 20,
        max_fragments: 100,
    });
    decoder.set_deflate(&mirrored(&params));
    let Some(mut deflater) = Deflater::agreed(&params) else {
        return Ok(());
    };
    for _ in 0..u.int_in_range(1..=6)? {
        let payload = Bytes::from(payload(u)?);
        let deflated = if !deflater.wants(payload.len()) || u.ratio(1, 8)? {
            None
        } else if deflater.is_large(payload.len()) {
            deflater.begin(OpCode::Binary, payload.clone());
            let cx = Context::from_waker(Waker::noop());
            let framed = loop {
                match deflater.go_on(&cx, |_, _, framed| framed.payload.clone()) {
                    Poll::Ready(None) => {}
                    Poll::Ready(Some(Large::Own(_, framed))) => break framed,
                    _ => panic!("it is shared with nobody"),
                }
            };
            framed.is_deflated.then(|| framed.payload.to_vec())
        } else {
            deflater.deflate(&payload, |deflated| deflated.map(<[u8]>::to_vec))
        };
        if let Some(deflated) = &deflated {
            assert!(deflated.len() < payload.len(), "it grew");
        }
        let mut stream = BytesMut::new();
        let mut first = OpCode::Binary.bits() | if deflated.is_some() { 0x40 } else { 0 };
        let mut rest = deflated.as_deref().unwrap_or(&payload);
        for _ in 0..u.int_in_range(0..=3)? {
            let (fragment, behind) = rest.split_at(u.int_in_range(0..=rest.len())?);
            encode_client_frame(&mut stream, first, u.arbitrary()?, fragment);
            (first, rest) = (OpCode::Continuation.bits(), behind);
        }
        encode_client_frame(&mut stream, 0x80 | first, u.arbitrary()?, rest);

        let step = *u.choose(&[1, 7, 1000, usize::MAX])?;
        let mut buffer = BytesMut::new();
        let mut received = Vec::new();
        for packet in stream.chunks(step.min(stream.len())) {
            buffer.extend_from_slice(packet);
            received.extend(decoder.decode(&mut buffer).expect("no violation"));
        }
        assert!(buffer.is_empty() && decoder.is_at_boundary());
        assert!(received == [Message::Binary(payload)], "another message");
    }
    Ok(())
}

/// Whatever is called compressed is inflated alike however it is cut, or refused for a reason, and
/// never to more than the limit.
///
/// # Errors
///
/// Never.
pub fn damaged_deflate_does_no_harm(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let params = params(u)?;
    let limits = WireLimits {
        max_message_bytes: *u.choose(&[0, 1, 300, 70_000, 1 << 20])?,
        max_fragments: 10,
    };
    let mut stream = BytesMut::new();
    for _ in 0..u.int_in_range(1..=4)? {
        let mut deflated = match u.int_in_range(0..=3)? {
            0 => Vec::new(),
            _ => {
                let payload = payload(u)?;
                let deflater = Deflater::agreed(&params);
                let small = &payload[..payload.len().min(60_000)];
                deflater
                    .and_then(|mut it| it.deflate(small, |made| made.map(<[u8]>::to_vec)))
                    .unwrap_or_default()
            }
        };
        for _ in 0..u.int_in_range(0..=2)? {
            match u.int_in_range(0..=3)? {
                0 => deflated.extend(<&[u8]>::arbitrary(u)?),
                1 => deflated.truncate(u.int_in_range(0..=deflated.len())?),
                2 if !deflated.is_empty() => {
                    let at = u.int_in_range(0..=deflated.len() - 1)?;
                    deflated[at] ^= 1 << u.int_in_range(0..=7)?;
                }
                _ => deflated.extend([0, 0, 0, 0xFF, 0xFF].repeat(u.int_in_range(0..=9)?)),
            }
        }
        let (head, tail) = deflated.split_at(u.int_in_range(0..=deflated.len())?);
        let opcode = *u.choose(&[0x41, 0x42])?;
        encode_client_frame(&mut stream, opcode, u.arbitrary()?, head);
        encode_client_frame(&mut stream, 0x80, u.arbitrary()?, tail);
    }
    let run = |step: usize, in_slices: bool| {
        let mut decoder = Decoder::new(limits);
        decoder.set_deflate(&mirrored(&params));
        if in_slices {
            decoder.inflate_in_slices();
        }
        let mut buffer = BytesMut::new();
        let mut messages = Vec::new();
        for packet in stream.chunks(step.min(stream.len())) {
            buffer.extend_from_slice(packet);
            loop {
                match decoder.decode(&mut buffer) {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) if decoder.must_yield() => {}
                    Ok(None) => break,
                    Err(error) => return (messages, Some(error.kind())),
                }
            }
        }
        (messages, None)
    };
    let (messages, violation) = run(usize::MAX, false);
    for message in &messages {
        assert!(message.payload_bytes() <= limits.max_message_bytes);
    }
    assert!(matches!(
        violation,
        None | Some(ErrorKind::InvalidData | ErrorKind::TooLarge)
    ));
    let again = run(*u.choose(&[1, 5, 100, usize::MAX])?, u.arbitrary()?);
    assert!(again.0 == messages);
    // A message may be too large and damaged: how it arrives says which is noticed first.
    assert_eq!(again.1.is_some(), violation.is_some());
    Ok(())
}

/// An outbox that compresses keeps messages whole and in order, large ones slice by slice.
#[cfg(test)]
#[test]
fn an_outbox_keeps_the_order() {
    use std::pin::pin;

    let side = DeflateSide {
        takeover: true,
        window_bits: 12,
    };
    let params = DeflateParams {
        ours: side,
        peers: side,
        threshold_bytes: 64,
        level: 2,
        memory_level: 5,
    };
    let mut outbox = Outbox::new(Role::Server);
    outbox.set_deflate(&params);
    let mut decoder = Decoder::for_client(WireLimits {
        max_message_bytes: 1 << 20,
        max_fragments: 1,
    });
    decoder.set_deflate(&params);
    let large = "rows and rows; ".repeat(20_000);
    let sent = [
        Message::text("short"),
        Message::text("a longer one, with a longer one in it, ".repeat(4)),
        Message::text(large.clone()),
        Message::Ping("between".into()),
        Message::text(large),
    ];
    let mut wire = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    let mut slices = 0;
    for message in sent.clone() {
        outbox.push(message);
        while outbox.poll_deflate(&cx).is_pending() {
            slices += 1;
        }
        let written = pin!(outbox.poll_write(&mut wire, &mut cx));
        assert!(matches!(*written, Poll::Ready(Ok(()))));
    }
    assert_eq!(
        slices,
        2 * 4,
        "four whole slices of 64 KiB, and a turn after each"
    );
    assert_eq!(outbox.written_bytes(), wire.len() as u64);
    assert!(wire.len() < 20_000);
    let mut buffer = BytesMut::from(&wire[..]);
    let received = std::iter::from_fn(|| decoder.decode(&mut buffer).expect("no violation"));
    assert!(received.eq(sent));
}

/// What a little inflates to comes a slice at a time, with others of the thread in between.
#[cfg(test)]
#[test]
fn a_lot_is_inflated_in_slices() {
    const BYTES: usize = 10 << 20;
    let side = DeflateSide {
        takeover: false,
        window_bits: 15,
    };
    let params = DeflateParams {
        ours: side,
        peers: side,
        threshold_bytes: 64,
        level: 6,
        memory_level: 8,
    };
    let zeros = Bytes::from(vec![0; BYTES]);
    let mut deflater = Deflater::agreed(&params).expect("built in");
    deflater.begin(OpCode::Binary, zeros.clone());
    let cx = Context::from_waker(Waker::noop());
    let deflated = loop {
        if let Poll::Ready(Some(Large::Own(_, framed))) =
            deflater.go_on(&cx, |_, _, framed| framed.payload.clone())
        {
            break framed.payload;
        }
    };
    let mut buffer = BytesMut::new();
    encode_client_frame(&mut buffer, 0xC2, [1, 2, 3, 4], &deflated);
    encode_client_frame(&mut buffer, 0x81, [1, 2, 3, 4], b"behind");

    let mut decoder = Decoder::new(WireLimits {
        max_message_bytes: BYTES,
        max_fragments: 1,
    });
    decoder.set_deflate(&params);
    decoder.inflate_in_slices();
    let (mut messages, mut turns) = (Vec::new(), 1);
    while messages.len() < 2 {
        match decoder.decode(&mut buffer).expect("no violation") {
            Some(message) => messages.push(message),
            None => {
                assert!(
                    decoder.is_paused() && decoder.must_yield(),
                    "it is all there"
                );
                turns += 1;
            }
        }
    }
    assert!(messages == [Message::Binary(zeros), Message::text("behind")]);
    // A slice is 256 KiB, and a step beyond it.
    assert!((30..=41).contains(&turns), "{turns} turns");
}

/// A message for many is compressed once where contexts are not kept, and for each where they are;
/// once means that whoever has a turn does the next slice.
#[cfg(test)]
#[test]
fn a_shared_message_is_compressed_once() {
    use std::pin::pin;

    use crate::message::SharedMessage;

    let news = SharedMessage::new("news, news, news; ".repeat(10_000));
    let mut cx = Context::from_waker(Waker::noop());
    for takeover in [false, true] {
        let side = DeflateSide {
            takeover,
            window_bits: 12,
        };
        let params = DeflateParams {
            ours: side,
            peers: side,
            threshold_bytes: 64,
            level: 2,
            memory_level: 5,
        };
        let mut outboxes: Vec<_> = std::iter::repeat_with(|| {
            let mut outbox = Outbox::new(Role::Server);
            outbox.set_deflate(&params);
            outbox.push_shared(&news);
            outbox
        })
        .take(3)
        .collect();
        let (mut waiting, mut turns) = (true, 0);
        while waiting {
            waiting = false;
            for outbox in &mut outboxes {
                if outbox.poll_deflate(&cx).is_pending() {
                    waiting = true;
                    turns += 1;
                }
            }
        }
        // Two whole slices and a rest, behind which there is nothing to wait for.
        assert_eq!(turns, if takeover { 3 * 2 } else { 2 });
        for mut outbox in outboxes {
            let mut wire = Vec::new();
            let written = pin!(outbox.poll_write(&mut wire, &mut cx));
            assert!(matches!(*written, Poll::Ready(Ok(()))));
            assert!(wire.len() < 2_000);
            let mut decoder = Decoder::for_client(WireLimits {
                max_message_bytes: 1 << 20,
                max_fragments: 1,
            });
            decoder.set_deflate(&params);
            let received = decoder
                .decode(&mut BytesMut::from(&wire[..]))
                .expect("no violation");
            assert!(received.as_ref() == Some(news.message()));
        }
    }
    let known = u32::from_be_bytes([0, 2, 5, 12]);
    let encoding = news.encoding(known);
    encoding.get_or_make(|| panic!("it was made already"));
}

fn params(u: &mut Unstructured<'_>) -> arbitrary::Result<DeflateParams> {
    let mut side = || -> arbitrary::Result<_> {
        Ok(DeflateSide {
            takeover: u.arbitrary()?,
            window_bits: u.int_in_range(8..=15)?,
        })
    };
    Ok(DeflateParams {
        ours: side()?,
        peers: side()?,
        threshold_bytes: *u.choose(&[0, 10, 1000])?,
        level: u.int_in_range(1..=9)?,
        memory_level: u.int_in_range(1..=9)?,
    })
}

fn mirrored(params: &DeflateParams) -> DeflateParams {
    DeflateParams {
        ours: params.peers,
        peers: params.ours,
        ..*params
    }
}

/// Rows that are alike, noise, or one byte over and over.
fn payload(u: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    let bytes = *u.choose(&[0, 1, 60, 300, 3000, 40_000, 65_536, 65_537, 150_000])?;
    let mut seed = u64::arbitrary(u)? | 1;
    let mut noise = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut payload = Vec::with_capacity(bytes + 64);
    let kind = u.int_in_range(0..=3)?;
    while payload.len() < bytes {
        match kind {
            0 => payload.extend(noise().to_le_bytes()),
            1 => payload.resize(bytes, b'x'),
            _ => {
                let (id, of) = (noise() % 1000, noise() % 7);
                payload.extend(format!("{{\"id\":{id},\"kind\":\"row {of}\"}},").bytes());
            }
        }
    }
    payload.truncate(bytes);
    Ok(payload)
}
