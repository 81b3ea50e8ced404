//! Somebody looks on at a session's messages.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use wharf_sdk::{
    App, Direction, MessageKind, Result, Route, Sender, Socket, Tap,
    testing::{TestHost, TestSocket},
};

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

/// A client, and the session that it talks to.
async fn talking() -> (TestHost, TestSocket, Sender) {
    let app = App::builder().route(Route::new("/echo", echo)).build();
    let host = TestHost::new(app.unwrap());
    let client = host.connect("/echo").await;
    let session = host.app().handle().sessions().remove(0);
    (host, client, session)
}

async fn echoed(client: &mut TestSocket, text: &str) {
    client.send_text(text).await;
    client.expect_text(text).await;
}

type Line = (Direction, MessageKind, usize, Vec<u8>);

fn lines(tap: &Tap) -> Vec<Line> {
    let (passed, _) = tap.take();
    let line = |passed: &wharf_sdk::Passed| {
        let start = passed.start.to_vec();
        (passed.direction, passed.kind, passed.payload_bytes, start)
    };
    passed.iter().map(line).collect()
}

#[tokio::test(start_paused = true)]
async fn both_directions_are_seen_and_contents_only_as_far_as_asked() {
    let (_host, mut client, session) = talking().await;
    let (sizes, contents) = (session.tap(0), session.tap(3));
    echoed(&mut client, "hello").await;
    client.send_frame(0x89, b"ping").await;
    client.next_frame().await;
    let text = MessageKind::Text;
    let expected = |content: &[u8], ping: &[u8]| {
        vec![
            (Direction::In, text, 5, content.to_vec()),
            (Direction::Out, text, 5, content.to_vec()),
            (Direction::In, MessageKind::Ping, 4, ping.to_vec()),
            (Direction::Out, MessageKind::Pong, 4, ping.to_vec()),
        ]
    };
    assert_eq!(lines(&sizes), expected(b"", b""));
    assert_eq!(lines(&contents), expected(b"hel", b"pin"));
    assert_eq!(lines(&sizes), []);
}

#[tokio::test(start_paused = true)]
async fn what_passed_before_and_after_is_not_seen() {
    let (_host, mut client, session) = talking().await;
    echoed(&mut client, "before").await;
    let (tap, other) = (session.tap(0), session.tap(0));
    echoed(&mut client, "while").await;
    assert_eq!(lines(&tap).len(), 2);
    drop(other);
    echoed(&mut client, "still").await;
    assert_eq!(lines(&tap).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_close_is_seen_with_its_code() {
    let (_host, mut client, session) = talking().await;
    let tap = session.tap(16);
    session.start_close(4001, "enough").unwrap();
    client.expect_close(4001).await;
    session.closed().await;
    let (passed, missed) = tap.take();
    let closes: Vec<_> = passed
        .iter()
        .map(|passed| (passed.direction, passed.close_code.unwrap().as_u16()))
        .collect();
    assert_eq!(closes, [(Direction::Out, 4001), (Direction::In, 4001)]);
    assert_eq!((&*passed[0].start, missed), (&b"enough"[..], 0));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_takes_is_counted_and_bounded() {
    let (_host, mut client, session) = talking().await;
    let tap = session.tap(8192);
    let large = "x".repeat(5000);
    echoed(&mut client, &large).await;
    assert_eq!(tap.take().0[0].start.len(), 4096);
    for _ in 0..200 {
        echoed(&mut client, "again").await;
    }
    let (passed, missed) = tap.take();
    assert_eq!((passed.len(), missed), (256, 144));
    assert!(!format!("{passed:?}").contains("again"));
}
