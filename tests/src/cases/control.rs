//! Pings and pongs in.

use std::time::Duration;

use tokio::time::sleep;
use wharf_sdk::{Configure, Message, Result, Route, Socket, State};

use crate::{
    Host, Notes, Site,
    client::{Frame, PATIENCE, opcode},
    fixture::echo,
};

/// A ping is answered with its payload.
pub async fn ping_is_answered(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/echo").await;
    for payload in [vec![], b"hello".to_vec(), vec![0xFF; 125]] {
        client.send(Frame::ping(payload.clone())).await;
        client.expect_pong(&payload).await;
    }
    client.close().await;
}

/// Pings that arrive together are each answered, in order.
pub async fn pings_together(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/echo").await;
    client
        .send_together((0..20u8).map(|number| Frame::ping(vec![number])))
        .await;
    for number in 0..20 {
        client.expect_pong(&[number]).await;
    }
    client.close().await;
}

/// A ping is answered while the handler is elsewhere and reads nothing.
pub async fn ping_while_busy(host: &dyn Host) {
    // For longer than the client waits.
    let busy = Route::new("/busy", async |_socket: Socket| sleep(2 * PATIENCE).await);
    let site = Site::of(host, |app| app.route(busy)).await;
    let mut client = site.open("/busy").await;
    client.send(Frame::text("nobody reads this")).await;
    client.send(Frame::ping("there?")).await;
    client.expect_pong(b"there?").await;
}

/// A pong overtakes data that waits in the queue.
pub async fn pong_overtakes_data(host: &dyn Host) {
    const MESSAGES: usize = 512;
    const MESSAGE_BYTES: usize = 64 * 1024;
    let flood = async |mut socket: Socket| -> Result<()> {
        for _ in 0..MESSAGES {
            socket.write(vec![0; MESSAGE_BYTES]).await?;
        }
        while socket.read().await?.is_some() {}
        Ok(())
    };
    // More than what the kernel takes: the rest waits in the queue.
    let route = Route::new("/flood", flood).queue_bytes(MESSAGES * MESSAGE_BYTES);
    let site = Site::of(host, |app| app.route(route)).await;
    let mut client = site.open("/flood").await;
    sleep(Duration::from_millis(500)).await;
    client.send(Frame::ping("me first")).await;
    sleep(Duration::from_millis(500)).await;
    let mut ahead = 0;
    loop {
        let frame = client.recv().await.expect("a frame");
        if frame.opcode == opcode::PONG {
            break;
        }
        ahead += 1;
    }
    assert!(
        ahead < MESSAGES,
        "the pong came behind all {MESSAGES} messages"
    );
    for _ in ahead..MESSAGES {
        client.expect_binary(&[0; MESSAGE_BYTES]).await;
    }
    client.close().await;
}

/// Pings and pongs are hidden from `read` unless the route asks for them.
pub async fn hidden_by_default(host: &dyn Host) {
    let site = noting_site(host, false).await;
    let (mut client, mut noted) = (site.0.open("/kinds").await, site.1);
    client.send(Frame::ping("a")).await;
    client.send(Frame::pong("b")).await;
    client.send(Frame::text("c")).await;
    client.expect_pong(b"a").await;
    client.close().await;
    noted.expect("text").await;
    noted.expect("end").await;
}

/// A route that asks for control frames reads them in order, and the peer's close once before the
/// end.
pub async fn shown_on_request(host: &dyn Host) {
    let site = noting_site(host, true).await;
    let (mut client, mut noted) = (site.0.open("/kinds").await, site.1);
    client.send(Frame::ping("a")).await;
    client.send(Frame::pong("b")).await;
    client.send(Frame::text("c")).await;
    client.expect_pong(b"a").await;
    client.close_with(4000, "done").await;
    for note in ["ping", "pong", "text", "close", "end"] {
        noted.expect(note).await;
    }
}

/// The answer to a ping is queued before the ping is delivered.
pub async fn pong_before_delivery(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/echo-control").await;
    client.send(Frame::ping("x")).await;
    client.expect_pong(b"x").await;
    client.expect_text("ping:x").await;
    client.send(Frame::pong("y")).await;
    client.expect_text("pong:y").await;
    client.expect_echo("data").await;
    client.close().await;
}

/// A pong that nobody asked for changes nothing.
pub async fn unsolicited_pong(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/echo").await;
    client.send(Frame::pong("unasked")).await;
    client.expect_echo("still here").await;
    client.close().await;
}

/// A flood of pings from a peer that reads nothing neither grows nor ends the session.
pub async fn ping_flood(host: &dyn Host) {
    let site = Site::of(host, |app| app.route(Route::new("/echo", echo))).await;
    let mut client = site.open("/echo").await;
    client
        .send_together((0..2000u32).map(|number| Frame::ping(number.to_string())))
        .await;
    client.send_text("end").await;
    // The RFC allows to answer the latest pings only; those that are answered keep their order.
    let mut last = None;
    loop {
        let frame = client.recv().await.expect("a frame");
        if frame.opcode == opcode::TEXT {
            break;
        }
        let number: u32 = frame.as_text().parse().expect("a ping's payload");
        assert!(last < Some(number), "pong {number} came behind {last:?}");
        last = Some(number);
    }
    assert_eq!(last, Some(1999), "the latest ping is always answered");
    client.close().await;
}

async fn noting_site(host: &dyn Host, control_frames: bool) -> (Site, crate::site::NotesReader) {
    let (notes, noted) = Notes::new();
    let kinds = async |State(notes): State<Notes>, mut socket: Socket| -> Result<()> {
        while let Some(message) = socket.read().await? {
            if let Message::Close(Some(frame)) = &message {
                assert_eq!((frame.code().as_u16(), &**frame.reason()), (4000, "done"));
            }
            notes.add(message.kind());
        }
        notes.add("end");
        Ok(())
    };
    let route = Route::new("/kinds", kinds).control_frames(control_frames);
    (
        Site::of(host, |app| app.route(route).state(notes)).await,
        noted,
    )
}
