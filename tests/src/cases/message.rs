//! Text and binary, whole and in fragments.

use bytes::Bytes;
use wharf_sdk::{Configure, Route};

use crate::{Client, Host, Site, client::Frame, fixture::echo};

/// Text and binary of every length encoding come back as they came.
pub async fn lengths(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/echo").await;
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 1024 * 1024] {
        let text = "a".repeat(length);
        client.send(Frame::text(text.clone())).await;
        client.expect_text(&text).await;
        let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        client.send(Frame::binary(bytes.clone())).await;
        client.expect_binary(&bytes).await;
    }
    client.close().await;
}

/// Text of every UTF-8 width comes back as text.
pub async fn text_is_unicode(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/echo").await;
    client.expect_echo("Grüße, 世界 🌍 \u{0} \u{10FFFF}").await;
    client.close().await;
}

/// Messages that arrive together come back in order.
pub async fn order(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/echo").await;
    client
        .send_together((0..500).map(|number| Frame::text(number.to_string())))
        .await;
    for number in 0..500 {
        client.expect_text(&number.to_string()).await;
    }
    client.close().await;
}

/// A message that arrives byte by byte is whole in the end.
pub async fn byte_by_byte(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/echo").await;
    for byte in Frame::text("töröpfelt").to_bytes() {
        client.send_raw(&[byte]).await;
        tokio::task::yield_now().await;
    }
    client.expect_text("töröpfelt").await;
    client.close().await;
}

/// Frames that do not wait for the 101 are read.
pub async fn frames_behind_the_request(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let early = Frame::text("early").to_bytes();
    let request = crate::Request::upgrade("/echo").followed_by(early);
    let mut client = site.open_with(request).await;
    client.expect_text("early").await;
    client.expect_echo("late").await;
    client.close().await;
}

/// Fragments are joined, also where they cut a character in two.
pub async fn fragments(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/echo").await;
    client.send(Frame::text("frag").unfinished()).await;
    client.send(Frame::continuation("men").unfinished()).await;
    client.send(Frame::continuation("ted")).await;
    client.expect_text("fragmented").await;

    let (head, tail) = "ä".as_bytes().split_at(1);
    client
        .send(Frame::new(1, Bytes::from_static(head)).unfinished())
        .await;
    client
        .send(Frame::continuation(Bytes::from_static(tail)))
        .await;
    client.expect_text("ä").await;

    client.send(Frame::binary(vec![0, 255]).unfinished()).await;
    client.send(Frame::continuation(vec![128])).await;
    client.expect_binary(&[0, 255, 128]).await;
    client.close().await;
}

/// A ping between two fragments is answered there and then.
pub async fn ping_between_fragments(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/echo").await;
    client.send(Frame::text("first ").unfinished()).await;
    client.send(Frame::ping("in between")).await;
    client.expect_pong(b"in between").await;
    client.send(Frame::continuation("second")).await;
    client.expect_text("first second").await;
    client.close().await;
}

/// Empty fragments add nothing to a message.
pub async fn empty_fragments(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/echo").await;
    for round in ["one", "two"] {
        let start = Frame::text("").unfinished();
        let empty = (0..3000).map(|_| Frame::continuation("").unfinished());
        let end = Frame::continuation(round);
        client
            .send_together([start].into_iter().chain(empty).chain([end]))
            .await;
        client.expect_text(round).await;
    }
    client.close().await;
}

/// More empty fragments than any message needs end the session with 1009.
pub async fn empty_fragment_flood(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/echo").await;
    let start = Frame::binary("").unfinished();
    let empty = (0..40_000).map(|_| Frame::continuation("").unfinished());
    client.send_together([start].into_iter().chain(empty)).await;
    client.expect_close(1009).await;
}

/// The number of fragments is limited to the fragment.
pub async fn fragment_limit(host: &dyn Host) {
    let site = Site::of(host, |app| {
        app.route(Route::new("/echo", echo).max_fragments(10))
    })
    .await;
    let send = async |client: &mut Client, fragments: usize| {
        let start = Frame::text("x").unfinished();
        let middle = (2..fragments).map(|_| Frame::continuation("x").unfinished());
        let end = Frame::continuation("x");
        client
            .send_together([start].into_iter().chain(middle).chain([end]))
            .await;
    };
    let mut client = site.open("/echo").await;
    send(&mut client, 10).await;
    client.expect_text("xxxxxxxxxx").await;
    send(&mut client, 11).await;
    client.expect_close(1009).await;
    site.events
        .only("failed")
        .await
        .expect_error("WHARF_TOO_MANY_FRAGMENTS", "session");
}

/// A client library that somebody else wrote gets along.
pub async fn library_client(host: &dyn Host) {
    use futures::{SinkExt, StreamExt};
    use tokio_tungstenite::{
        WebSocketStream,
        tungstenite::{Message, protocol::Role},
    };
    let site = Site::fixture(host).await;
    let stream = site.open("/echo").await.into_stream();
    let mut library = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
    let large = "x".repeat(300_000);
    library
        .send(Message::text(large.clone()))
        .await
        .expect("sent");
    let echo = library.next().await.expect("a message").expect("valid");
    assert_eq!(echo, Message::text(large));
    library
        .send(Message::Ping("hello".into()))
        .await
        .expect("sent");
    let pong = library.next().await.expect("a message").expect("valid");
    assert_eq!(pong, Message::Pong("hello".into()));
    library.close(None).await.expect("sent");
    let close = library.next().await.expect("the answer").expect("valid");
    assert!(close.is_close(), "expected a close, got {close:?}");
    assert!(library.next().await.is_none(), "the connection ends");
}
