//! Peers that read slower than the handler writes.

use std::time::Duration;

use tokio::time::sleep;
use wharf_sdk::{Configure, Result, Route, SlowClient, Socket, State, WebSocketExt};

use crate::{Host, Notes, Site, fixture::echo};

/// By default the writer waits for room: a slow reader gets everything, in order.
pub async fn wait(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/push/300/65536").await;
    sleep(Duration::from_millis(700)).await;
    for number in 0..300u32 {
        client.expect_binary(&[number as u8; 65_536]).await;
    }
    client.expect_close(1000).await;
}

/// A peer that takes nothing for the write deadline is dropped, and nobody else notices.
pub async fn write_deadline(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut bystander = site.open("/echo").await;
    let mut client = site.open("/push/100000/65536").await;
    site.events
        .only("failed")
        .await
        .expect_error("WHARF_WRITE_DEADLINE", "session");
    site.events
        .only("closed")
        .await
        .expect_outcome(1006, false, "server");
    bystander.expect_echo("unharmed").await;
    bystander.close().await;
    if host.capabilities().abort {
        // What is under way may still arrive; then it ends.
        client.drain(crate::client::PATIENCE).await;
    }
}

/// The default write deadline is 10 s, the default queue 1 MiB and 1024 messages, and it waits.
pub async fn defaults(host: &dyn Host) {
    let site = Site::of(host, |app| app.route(Route::new("/echo", echo))).await;
    let limits = &site.app.routes()[0].limits;
    assert_eq!(limits.write_deadline, Duration::from_secs(10));
    assert_eq!(
        (limits.queue_bytes, limits.queue_messages),
        (1024 * 1024, 1024)
    );
    assert_eq!(limits.slow_client, SlowClient::Wait);
}

/// Policy error: the message that does not fit is refused, and counted in what it would fill.
pub async fn error(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/overflow/error").await;
    // 64 KiB hold 64 messages of 1 KiB: the one being added counts.
    expect_numbers(&mut client, 0..64).await;
    client.expect_text("sent:64 dropped:0 errors:1").await;
    client.expect_close(1000).await;
}

/// Policy close: the session ends with 1013, behind what is queued.
pub async fn close(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/overflow/close").await;
    expect_numbers(&mut client, 0..64).await;
    client.expect_close(1013).await;
    site.events
        .only("failed")
        .await
        .expect_error("WHARF_BACKPRESSURE", "session");
    site.events
        .only("closed")
        .await
        .expect_outcome(1013, true, "server");
}

/// Policy drop newest: what does not fit is dropped and counted.
pub async fn drop_newest(host: &dyn Host) {
    let mut client = Site::fixture(host)
        .await
        .open("/overflow/drop-newest")
        .await;
    expect_numbers(&mut client, 0..64).await;
    client.expect_text("sent:64 dropped:936 errors:0").await;
    client.expect_close(1000).await;
}

/// Policy drop oldest: what waits longest makes room, and is counted.
pub async fn drop_oldest(host: &dyn Host) {
    let mut client = Site::fixture(host)
        .await
        .open("/overflow/drop-oldest")
        .await;
    expect_numbers(&mut client, 936..1000).await;
    client.expect_text("sent:64 dropped:936 errors:0").await;
    client.expect_close(1000).await;
}

/// What is sent under a policy that waits is not dropped with the chatter, and goes before it.
pub async fn acknowledgements_stay(host: &dyn Host) {
    let trades = async |mut socket: Socket| -> Result<()> {
        let sender = socket.sender();
        for number in 0..20 {
            sender.try_send(format!("chatter {number}"))?;
            if number % 5 == 0 {
                socket
                    .write_under(SlowClient::Wait, format!("ack {number}"))
                    .await?;
            }
        }
        let dropped = socket.take_gap().map_or(0, |gap| gap.messages);
        socket.flush().await;
        socket.write(format!("dropped {dropped}")).await
    };
    for (policy, last) in [
        (SlowClient::DropOldest, ["chatter 18", "chatter 19"]),
        (SlowClient::DropNewest, ["chatter 0", "chatter 1"]),
    ] {
        let route = Route::new("/trade", trades)
            .slow_client(policy)
            .queue_messages(6);
        let site = Site::of(host, |app| app.route(route)).await;
        let mut client = site.open("/trade").await;
        let mut came = Vec::new();
        for _ in 0..6 {
            came.push(client.expect_any_text().await.to_string());
        }
        let (acks, chatter): (Vec<_>, Vec<_>) =
            came.into_iter().partition(|text| text.starts_with("ack"));
        assert_eq!(acks, ["ack 0", "ack 5", "ack 10", "ack 15"], "{policy:?}");
        if policy == SlowClient::DropOldest {
            assert_eq!(chatter, last);
        }
        client.expect_text("dropped 18").await;
        client.expect_close(1000).await;
    }
}

/// The queue is limited in messages as well, the one being added counted.
pub async fn counts_messages(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let fills = async |State(notes): State<Notes>, mut socket: Socket| -> Result<()> {
        let sender = socket.sender();
        let accepted = (0..10).take_while(|_| sender.try_send("x").is_ok()).count();
        notes.add(accepted);
        socket.flush().await;
        notes.add(if sender.try_send("room again").is_ok() {
            "room"
        } else {
            "no room"
        });
        Ok(())
    };
    let route = Route::new("/fill", fills).queue_messages(4);
    let site = Site::of(host, |app| app.state(notes).route(route)).await;
    let mut client = site.open("/fill").await;
    noted.expect("4").await;
    noted.expect("room").await;
    for _ in 0..4 {
        client.expect_text("x").await;
    }
    client.expect_text("room again").await;
    client.expect_close(1000).await;
}

/// A peer that floods a handler that does not read is held back by TCP, and served afterwards.
pub async fn flood_is_held_back(host: &dyn Host) {
    const MESSAGES: usize = 2000;
    let late = async |State(notes): State<Notes>, mut socket: Socket| -> Result<()> {
        notes.add("ready");
        sleep(Duration::from_millis(1500)).await;
        let mut bytes = 0;
        for _ in 0..MESSAGES {
            bytes += socket
                .read()
                .await?
                .map_or(0, |message| message.payload_bytes());
        }
        socket.write(format!("{bytes} bytes")).await
    };
    let (notes, mut noted) = Notes::new();
    let site = Site::of(host, |app| {
        app.state(notes).route(Route::new("/late", late))
    })
    .await;
    let mut client = site.open("/late").await;
    noted.expect("ready").await;
    let message = crate::client::Frame::binary(vec![7; 16 * 1024]).to_bytes();
    for _ in 0..MESSAGES {
        client.send_raw(&message).await;
    }
    client
        .expect_text(&format!("{} bytes", MESSAGES * 16 * 1024))
        .await;
    client.expect_close(1000).await;
}

async fn expect_numbers(client: &mut crate::Client, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let text = client.expect_any_text().await;
        assert_eq!(text.len(), 1024);
        let came = text.trim_end_matches('.');
        assert_eq!(came, number.to_string(), "another number than expected");
    }
}
