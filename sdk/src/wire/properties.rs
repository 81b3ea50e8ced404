//! What one side sends, the other gets.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use arbitrary::{Arbitrary, Unstructured};
use bytes::BytesMut;
use tokio::io::AsyncWrite;

use crate::{
    message::Message,
    wire::{
        decoder::Decoder, encoder::encode_client_frame, frame::OpCode, limits::WireLimits,
        outbox::Outbox, role::Role,
    },
};

const LIMITS: WireLimits = WireLimits {
    max_message_bytes: 100_000,
    max_fragments: 100,
};

/// A client's messages arrive as they were, in whatever fragments and between whatever controls.
///
/// # Errors
///
/// Never.
pub fn fragments_make_their_message(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mut bytes = BytesMut::new();
    let mut sent = Vec::new();
    for _ in 0..u.int_in_range(1..=4)? {
        let message = message(u)?;
        let (opcode, payload) = parts(&message);
        let mut opcode = opcode.bits();
        let mut rest = &payload[..];
        for _ in 0..u.int_in_range(0..=5)? {
            if opcode & 0x8 != 0 {
                break;
            }
            let cut = u.int_in_range(0..=rest.len())?;
            let (fragment, behind) = rest.split_at(cut);
            encode_client_frame(&mut bytes, opcode, u.arbitrary()?, fragment);
            (opcode, rest) = (OpCode::Continuation.bits(), behind);
            if u.ratio(1, 4)? {
                encode_client_frame(&mut bytes, 0x89, u.arbitrary()?, b"between");
                sent.push(Message::Ping("between".into()));
            }
        }
        encode_client_frame(&mut bytes, 0x80 | opcode, u.arbitrary()?, rest);
        sent.push(message);
    }
    assert!(receive(Decoder::new(LIMITS), bytes) == sent);
    Ok(())
}

/// Either side's messages leave whole and in order, however little the system takes at a time, and
/// masking changes no payload that somebody else may hold.
///
/// # Errors
///
/// Never.
pub fn messages_leave_whole(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let role = match u.arbitrary()? {
        true => Role::Server,
        false => Role::Client(|| [0x37, 0xFA, 0x21, 0x3D]),
    };
    let mut outbox = Outbox::new(role);
    let mut sent = Vec::new();
    let mut slow = Slow {
        taken: BytesMut::new(),
        portions: Vec::new(),
    };
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..u.int_in_range(1..=30)? {
        let message = message(u)?;
        outbox.push(message.clone());
        sent.push(message);
        if u.ratio(1, 2)? {
            continue;
        }
        for _ in 0..u.int_in_range(0..=3)? {
            slow.portions.push(u.int_in_range(1..=10_000)?);
        }
        let before = slow.taken.len() + outbox.len();
        let written = outbox.poll_write(&mut slow, &mut cx);
        assert!(matches!(written, Poll::Pending | Poll::Ready(Ok(()))));
        assert_eq!(
            slow.taken.len() + outbox.len(),
            before,
            "bytes came or went"
        );
        assert_eq!(written.is_ready(), outbox.len() == 0);
        outbox.rest();
    }
    while outbox.len() > 0 {
        slow.portions.push(usize::MAX);
        let written = outbox.poll_write(&mut slow, &mut cx);
        assert!(matches!(written, Poll::Pending | Poll::Ready(Ok(()))));
    }
    let peer = match role {
        Role::Server => Decoder::for_client(LIMITS),
        Role::Client(_) => Decoder::new(LIMITS),
    };
    assert!(receive(peer, slow.taken) == sent);
    Ok(())
}

fn receive(mut decoder: Decoder, mut bytes: BytesMut) -> Vec<Message> {
    let next = || decoder.decode(&mut bytes).expect("no violation");
    let received = std::iter::from_fn(next).collect();
    assert!(bytes.is_empty() && decoder.is_at_boundary());
    received
}

fn parts(message: &Message) -> (OpCode, bytes::Bytes) {
    match message {
        Message::Text(text) => (OpCode::Text, text.clone().into_bytes()),
        Message::Binary(bytes) => (OpCode::Binary, bytes.clone()),
        Message::Ping(bytes) => (OpCode::Ping, bytes.clone()),
        Message::Pong(bytes) => (OpCode::Pong, bytes.clone()),
        Message::Close(_) | Message::Unknown(_) => panic!("none is made"),
    }
}

/// Text, binary, ping or pong, of a size around one where something changes.
fn message(u: &mut Unstructured<'_>) -> arbitrary::Result<Message> {
    let bytes = *u.choose(&[0, 1, 7, 125, 126, 127, 8192, 8193, 65_535, 65_536])?;
    let fill = *u.choose(b"abcdefgh")?;
    let payload = vec![fill; bytes];
    let control = || payload[..bytes.min(125)].to_vec().into();
    Ok(match u.int_in_range(0..=7)? {
        0 => Message::Ping(control()),
        1 => Message::Pong(control()),
        2 => Message::Text(<&str>::arbitrary(u)?.into()),
        3..=5 => Message::Text(String::from_utf8_lossy(&payload).as_ref().into()),
        _ => Message::Binary(payload.into()),
    })
}

/// Takes one portion at a write, and nothing when there is none.
struct Slow {
    taken: BytesMut,
    portions: Vec<usize>,
}

impl AsyncWrite for Slow {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(portion) = self.portions.pop() else {
            return Poll::Pending;
        };
        let portion = portion.min(bytes.len());
        self.taken.extend_from_slice(&bytes[..portion]);
        Poll::Ready(Ok(portion))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let joined: Vec<u8> = slices
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect();
        self.poll_write(cx, &joined)
    }
}
