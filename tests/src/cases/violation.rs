//! Peers that break the protocol.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;

use crate::{
    Host, Site,
    client::{Frame, opcode},
};

/// An unmasked frame ends the session with 1002.
pub async fn unmasked(host: &dyn Host) {
    violate(
        host,
        1002,
        [Frame::text("bare").unmasked(), Frame::ping("").unmasked()],
    )
    .await;
}

/// A reserved bit ends the session with 1002: no extension was negotiated.
pub async fn reserved_bit(host: &dyn Host) {
    let bits = [1, 2, 4, 7];
    let frames = [Frame::text("x"), Frame::binary("x"), Frame::ping("x")];
    let frames = frames
        .iter()
        .flat_map(|frame| bits.map(|bits| frame.clone().reserved(bits)));
    violate(host, 1002, frames).await;
}

/// A reserved opcode ends the session with 1002, or is read as an unknown message where the driver
/// lets such frames through.
pub async fn reserved_opcode(host: &dyn Host) {
    if host.capabilities().unknown_frames {
        // `native::unknown_is_delivered` has the rest.
        return;
    }
    violate(
        host,
        1002,
        (3..=7).chain(11..=15).map(|opcode| Frame::new(opcode, "x")),
    )
    .await;
}

/// A continuation of nothing ends the session with 1002.
pub async fn continuation_of_nothing(host: &dyn Host) {
    let lone = [
        Frame::continuation("x"),
        Frame::continuation("x").unfinished(),
    ];
    violate(host, 1002, lone).await;
}

/// A new message inside a fragmented one ends the session with 1002.
pub async fn message_inside_message(host: &dyn Host) {
    let start = || Frame::text("a").unfinished();
    let inside = [
        Frame::text("b"),
        Frame::binary("b"),
        Frame::text("b").unfinished(),
    ];
    violate_with(host, 1002, inside.map(|frame| vec![start(), frame])).await;
}

/// A control frame over 125 bytes ends the session with 1002.
pub async fn oversized_control(host: &dyn Host) {
    let long = Bytes::from(vec![b'x'; 126]);
    let mut close = Frame::close(1000, vec![b'x'; 124]);
    close.payload.truncate(126);
    violate(
        host,
        1002,
        [Frame::ping(long.clone()), Frame::pong(long), close],
    )
    .await;
}

/// A fragmented control frame ends the session with 1002.
pub async fn fragmented_control(host: &dyn Host) {
    let frames = [Frame::ping("x"), Frame::pong("x"), Frame::close(1000, "")];
    violate(host, 1002, frames.map(Frame::unfinished)).await;
}

/// A close payload of one byte, or with a code that may not be sent, ends the session with 1002.
pub async fn invalid_close(host: &dyn Host) {
    let codes = [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ];
    let frames = codes.map(|code| Frame::close(code, ""));
    let one_byte = Frame::new(opcode::CLOSE, "x");
    violate(host, 1002, frames.into_iter().chain([one_byte])).await;
}

/// A length that is not in its shortest form, or over 63 bits, ends the session, and not by
/// waiting for the rest.
pub async fn lengths_that_may_not_be(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let heads: [&[u8]; 1] = [&[0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4]];
    for head in heads {
        let mut client = site.open("/echo").await;
        client.send_raw(head).await;
        let frame = client.recv().await.expect("a close frame");
        let (code, _) = frame.close_code_and_reason();
        assert!(
            matches!(code, 1002 | 1009),
            "expected 1002 or 1009, got {frame:?}"
        );
    }
}

/// Text that is not UTF-8 ends the session with 1007, whole or in fragments.
pub async fn invalid_utf8(host: &dyn Host) {
    let wrong: [&[u8]; 7] = [
        b"\xFF",
        b"ok \xC3\x28",
        b"\xC0\x80",
        b"\xED\xA0\x80",
        b"\xF4\x90\x80\x80",
        b"\xE4\xB8",
        b"\x80",
    ];
    let frame = |bytes: &[u8]| Frame::new(opcode::TEXT, bytes.to_vec());
    let whole = wrong.map(|bytes| vec![frame(bytes)]);
    let in_fragments = wrong.map(|bytes| {
        let (head, tail) = bytes.split_at(bytes.len() / 2);
        vec![frame(head).unfinished(), Frame::continuation(tail.to_vec())]
    });
    violate_with(host, 1007, whole.into_iter().chain(in_fragments)).await;
}

/// A close reason that is not UTF-8 ends the session with 1007.
pub async fn invalid_utf8_reason(host: &dyn Host) {
    violate(
        host,
        1007,
        [
            Frame::close(1000, b"\xFF"),
            Frame::close(4000, b"cut \xE4\xB8"),
        ],
    )
    .await;
}

/// Valid messages that arrive in one packet with a violation are delivered first.
pub async fn valid_messages_first(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let violations = [
        (1002, Frame::text("bare").unmasked()),
        (1002, Frame::text("x").reserved(4)),
        (1002, Frame::continuation("x")),
        (1002, Frame::ping(vec![0; 126])),
        (1007, Frame::new(opcode::TEXT, Bytes::from_static(b"\xFF"))),
        (1009, Frame::text("").announcing(1 << 40)),
    ];
    let all = violations.map(|(code, violation)| {
        let site = &site;
        async move {
            let mut client = site.open("/echo").await;
            client
                .send_together([Frame::text("one"), Frame::text("two"), violation])
                .await;
            client.expect_text("one").await;
            client.expect_text("two").await;
            client.expect_close(code).await;
        }
    });
    join_all(all).await;
}

/// A violation is told to the observers once, with its phase, and nobody else notices.
pub async fn violation_is_observed(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut bystander = site.open("/echo").await;
    let mut client = site.open("/echo").await;
    client.send(Frame::text("bare").unmasked()).await;
    let reason = client.expect_close(1002).await;
    assert!(!reason.is_empty(), "the reason says what was wrong");
    let failed = site.events.only("failed").await;
    assert_eq!(failed.phase, Some("session"));
    assert_eq!(failed.route.as_deref(), Some("/echo"));
    let closed = site.events.only("closed").await;
    assert_eq!(
        (closed.code, closed.initiator),
        (Some(1002), Some("server"))
    );
    bystander.expect_echo("unharmed").await;
    bystander.close().await;
}

/// A violator that does not answer the close is not waited for, and its end is not clean.
pub async fn violator_does_not_answer(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/echo").await;
    client.send(Frame::text("bare").unmasked()).await;
    client.expect_close_frame(1002).await;
    let end = client.recv_within(Duration::from_secs(4)).await;
    assert_eq!(end, Some(None), "expected the end before the close timeout");
    site.events
        .only("closed")
        .await
        .expect_outcome(1002, false, "server");
}

async fn violate(host: &dyn Host, code: u16, violations: impl IntoIterator<Item = Frame>) {
    violate_with(host, code, violations.into_iter().map(|frame| vec![frame])).await;
}

/// Sends each on a session that works, and expects this close code.
async fn violate_with(
    host: &dyn Host,
    code: u16,
    violations: impl IntoIterator<Item = Vec<Frame>>,
) {
    let site = &Site::fixture(host).await;
    let all = violations.into_iter().map(|frames| async move {
        let mut client = site.open("/echo").await;
        client.expect_echo("works").await;
        let what = format!("{frames:?}");
        client.send_together(frames).await;
        let reason = client.expect_close(code).await;
        assert!(!reason.is_empty(), "no reason for {what}");
    });
    let count = join_all(all).await.len();
    let failed = site.events.wait_for("failed", count).await;
    assert!(
        failed.iter().all(|event| event.phase == Some("session")),
        "in {failed:?}"
    );
    let closed = site.events.wait_for("closed", count).await;
    assert!(
        closed.iter().all(|event| event.code == Some(code)),
        "in {closed:?}"
    );
}
