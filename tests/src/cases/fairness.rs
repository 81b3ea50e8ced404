//! Nobody starves beside somebody who never stops.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use wharf_sdk::{Configure, Message, Result, Route, Sender, SlowClient, Socket};

use crate::{
    Host, Site,
    client::{Frame, PATIENCE, opcode},
    fixture::echo,
};

/// A handler that only writes, under a policy that never makes it wait, lets its data leave, its
/// neighbours be served, and its client go.
pub async fn writing_without_a_pause(host: &dyn Host) {
    let floods = async |mut socket: Socket| -> Result<()> {
        loop {
            socket.write("tick").await?;
        }
    };
    let site = Site::of(host, |app| {
        let route = Route::new("/flood", floods);
        let route = route.slow_client(SlowClient::DropOldest).queue_messages(8);
        app.route(route).route(Route::new("/echo", echo))
    })
    .await;
    let mut flooded = site.open("/flood").await;
    flooded.expect_text("tick").await;
    let mut neighbour = site.open("/echo").await;
    neighbour.expect_echo("served").await;
    flooded.vanish();
    site.events.only("closed").await;
    neighbour.expect_echo("still served").await;
}

/// The same through the sink, and through a sender in the handler.
pub async fn feeding_without_a_pause(host: &dyn Host) {
    use futures::SinkExt;
    let feeds = async |mut socket: Socket| -> Result<()> {
        loop {
            socket.feed(Message::text("tick")).await?;
        }
    };
    let sends = async |socket: Socket| -> Result<()> {
        let sender = socket.sender();
        loop {
            sender.send("tick").await?;
        }
    };
    let site = Site::of(host, |app| {
        app.slow_client(SlowClient::DropNewest)
            .queue_messages(8)
            .route(Route::new("/feed", feeds))
            .route(Route::new("/send", sends))
    })
    .await;
    for path in ["/feed", "/send"] {
        let mut client = site.open(path).await;
        client.expect_text("tick").await;
        client.vanish();
        site.expect_no_connections().await;
    }
}

/// A flood of control frames keeps no neighbour waiting.
pub async fn floods_of_control_frames(host: &dyn Host) {
    let site = Site::of(host, |app| app.route(Route::new("/echo", echo))).await;
    let mut neighbour = site.open("/echo").await;
    let flood = Frame::ping("").to_bytes().repeat(20_000);
    let mut flooders = Vec::new();
    for _ in 0..4 {
        let mut flooder = site.open("/echo").await;
        let flood = &flood;
        flooders.push(async move {
            // It reads nothing, so it is held back at some point.
            let _ = timeout(Duration::from_millis(500), flooder.send_raw(flood)).await;
            flooder
        });
    }
    let serving = async {
        for _ in 0..5 {
            neighbour.expect_echo("served").await;
        }
    };
    timeout(PATIENCE, async {
        tokio::join!(futures::future::join_all(flooders), serving)
    })
    .await
    .expect("the neighbour starved");
}

/// A session's payloads may do anything when they are dropped: use their sender, or panic.
pub async fn payloads_with_a_mind_of_their_own(host: &dyn Host) {
    struct Payload {
        sender: Sender,
        panics: bool,
    }
    impl AsRef<[u8]> for Payload {
        fn as_ref(&self) -> &[u8] {
            b"payload"
        }
    }
    impl Drop for Payload {
        fn drop(&mut self) {
            let _ = self.sender.try_send("dropped");
            let _ = self.sender.queued_bytes();
            assert!(!self.panics, "as it should");
        }
    }
    fn payload(socket: &Socket, panics: bool) -> Message {
        let sender = socket.sender();
        Message::binary(Bytes::from_owner(Payload { sender, panics }))
    }
    let refused = async |mut socket: Socket| -> Result<()> {
        let sender = socket.sender();
        for _ in 0..3 {
            socket.write(payload(&socket, false)).await?;
        }
        let _ = sender.send_latest("key", payload(&socket, false));
        let _ = sender.send_latest("key", payload(&socket, false));
        let _ = sender.ping(vec![0; 126]);
        while socket.read().await?.is_some() {}
        let _ = sender.try_send(payload(&socket, false));
        Ok(())
    };
    let panics = async |mut socket: Socket| -> Result<()> {
        socket.write(payload(&socket, true)).await?;
        while socket.read().await?.is_some() {}
        Ok(())
    };
    let site = Site::of(host, |app| {
        app.slow_client(SlowClient::DropOldest)
            .queue_messages(2)
            .route(Route::new("/refused", refused))
            .route(Route::new("/panics", panics))
            .route(Route::new("/echo", echo))
    })
    .await;
    let mut neighbour = site.open("/echo").await;
    let mut client = site.open("/refused").await;
    loop {
        let frame = client.recv().await.expect("a frame");
        if frame.opcode == opcode::BINARY {
            break;
        }
    }
    client.vanish();
    site.events.wait_for("closed", 1).await;

    let mut client = site.open("/panics").await;
    loop {
        let frame = client.recv().await.expect("a frame");
        if frame.opcode == opcode::CLOSE {
            assert_eq!(&frame.payload[..2], 1011u16.to_be_bytes());
            break;
        }
    }
    client.send(Frame::close(1011, "")).await;
    client.expect_end().await;
    let failed = site.events.only("failed").await;
    assert_eq!(failed.error.as_deref(), Some("WHARF_PANIC"));
    neighbour.expect_echo("unharmed").await;
}
