//! Pings of the server's own, each paired with its pong.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use wharf_sdk::{Configure, Result, Route, Socket};

use crate::{
    Client, Host, Site,
    client::{Frame, PATIENCE, opcode},
    fixture::echo,
};

const BEAT: Duration = Duration::from_millis(300);

/// A silent peer is pinged; as long as it answers, the session goes on. No two pings are alike.
pub async fn answered(host: &dyn Host) {
    let route = Route::new("/heartbeat", echo).heartbeat(BEAT, PATIENCE);
    let site = Site::of(host, |app| app.route(route)).await;
    let mut silent_since = Instant::now();
    let mut client = site.open("/heartbeat").await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        let payload = client.expect_ping().await;
        assert!(
            silent_since.elapsed() >= BEAT - Duration::from_millis(50),
            "pinged without silence"
        );
        assert!(
            !seen.contains(&payload),
            "the payload {payload:?} came twice"
        );
        silent_since = Instant::now();
        client.send(Frame::pong(payload.clone())).await;
        seen.push(payload);
    }
    client.expect_echo("still here").await;
    client.close().await;
}

/// Without a pong in time the connection is dropped, without a close frame.
pub async fn unanswered(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let opened = Instant::now();
    let mut client = site.open("/heartbeat").await;
    client.expect_ping().await;
    client.expect_end().await;
    let waited = opened.elapsed();
    assert!(
        waited >= 2 * BEAT - Duration::from_millis(100),
        "dropped after {waited:?}"
    );
    site.events
        .only("closed")
        .await
        .expect_outcome(1006, false, "server");
    site.events
        .only("failed")
        .await
        .expect_error("WHARF_HEARTBEAT_TIMEOUT", "session");
}

/// A message that trickles in, byte by byte, is no answer either.
pub async fn unanswered_in_a_trickle(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/heartbeat").await;
    for byte in Frame::text("x".repeat(10_000)).to_bytes().chunks(1) {
        client.send_raw(byte).await;
        match client.recv_within(BEAT / 6).await {
            Some(None) => break,
            Some(Some(frame)) => assert_eq!(frame.opcode, opcode::PING),
            None => {}
        }
    }
    site.events
        .only("failed")
        .await
        .expect_error("WHARF_HEARTBEAT_TIMEOUT", "session");
    site.events
        .only("closed")
        .await
        .expect_outcome(1006, false, "server");
}

/// A pong with another payload is not the answer.
pub async fn answered_wrongly(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/heartbeat").await;
    client.expect_ping().await;
    client.send(Frame::pong("something else")).await;
    client.expect_end().await;
    site.events
        .only("failed")
        .await
        .expect_error("WHARF_HEARTBEAT_TIMEOUT", "session");
}

/// A peer that sends is not pinged.
pub async fn no_ping_without_silence(host: &dyn Host) {
    let interval = Duration::from_secs(3);
    let route = Route::new("/heartbeat", echo).heartbeat(interval, interval);
    let mut client = Site::of(host, |app| app.route(route))
        .await
        .open("/heartbeat")
        .await;
    let opened = Instant::now();
    while opened.elapsed() < interval + Duration::from_millis(500) {
        // Any other frame than the echo fails here.
        client.expect_echo("not silent").await;
        sleep(Duration::from_millis(100)).await;
    }
    client.close().await;
}

/// The heart beats while the handler neither reads nor writes.
pub async fn while_the_handler_is_busy(host: &dyn Host) {
    let route = Route::new("/busy", async |_socket: Socket| sleep(2 * PATIENCE).await);
    let timeout = Duration::from_secs(3);
    let site = Site::of(host, |app| app.route(route.heartbeat(BEAT, timeout))).await;
    let mut client = site.open("/busy").await;
    let payload = client.expect_ping().await;
    client.send(Frame::pong(payload)).await;
    client.expect_ping().await;
    client.expect_end().await;
}

/// The pong clock starts when the ping has left: a peer that is slow to take what was written, and
/// answers once it has, stays.
pub async fn slow_transfer_survives(host: &dyn Host) {
    const MESSAGES: u32 = 400;
    const MESSAGE_BYTES: usize = 64 * 1024;
    let pushes = async |mut socket: Socket| -> Result<()> {
        for _ in 0..MESSAGES {
            socket.write(vec![0; MESSAGE_BYTES]).await?;
        }
        while socket.read().await?.is_some() {}
        Ok(())
    };
    let route = Route::new("/push", pushes)
        .heartbeat(BEAT, Duration::from_secs(5))
        .write_deadline(Duration::from_secs(60));
    let site = Site::of(host, |app| app.route(route)).await;
    let mut client = site.open("/push").await;
    // Longer than interval and timeout together; the ping is stuck behind what is not read.
    sleep(Duration::from_millis(6500)).await;
    assert!(
        site.events.of("closed").is_empty(),
        "dropped: {:?}",
        site.events.all()
    );
    let mut messages = 0;
    while messages < MESSAGES {
        match client.recv().await.expect("a frame") {
            frame if frame.opcode == opcode::PING => client.send(Frame::pong(frame.payload)).await,
            _ => messages += 1,
        }
    }
    close_past_pings(&mut client).await;
    assert!(
        site.events.of("failed").is_empty(),
        "in {:?}",
        site.events.all()
    );
}

/// A peer that neither reads nor answers ends, also while a write is stuck.
pub async fn while_a_write_is_stuck(host: &dyn Host) {
    let writes = async |mut socket: Socket| -> Result<()> {
        loop {
            socket.write(vec![0; 64 * 1024]).await?;
        }
    };
    let route = Route::new("/stuck", writes)
        .heartbeat(BEAT, BEAT)
        .write_deadline(Duration::from_secs(1));
    let site = Site::of(host, |app| app.route(route)).await;
    let _client = site.open("/stuck").await;
    let failed = site.events.only("failed").await;
    assert_eq!(failed.phase, Some("session"), "in {failed:?}");
    site.events
        .only("closed")
        .await
        .expect_outcome(1006, false, "server");
}

/// However many pings the handler sends, the session's own leaves and its pong counts.
pub async fn beside_pings_of_the_handlers(host: &dyn Host) {
    let pings = async |mut socket: Socket| -> Result<()> {
        loop {
            for _ in 0..64 {
                socket.ping("handler")?;
            }
            sleep(BEAT / 10).await;
        }
    };
    let route = Route::new("/pings", pings).heartbeat(BEAT, Duration::from_secs(5));
    let site = Site::of(host, |app| app.route(route)).await;
    let mut client = site.open("/pings").await;
    let mut beats = 0;
    while beats < 4 {
        let frame = client.recv().await.expect("the healthy peer was dropped");
        assert_eq!(frame.opcode, opcode::PING);
        if frame.payload != "handler" {
            client.send(Frame::pong(frame.payload)).await;
            beats += 1;
        }
    }
    assert!(site.events.of("failed").is_empty());
}

/// The defaults are 25 s of silence and 20 s for the pong.
pub async fn defaults(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let routes = site.app.routes();
    let echo = routes
        .iter()
        .find(|route| route.pattern == "/echo")
        .expect("/echo");
    assert_eq!(
        echo.limits.heartbeat_interval,
        Some(Duration::from_secs(25))
    );
    assert_eq!(echo.limits.heartbeat_timeout, Duration::from_secs(20));
    if !host.can_pause_time() {
        return;
    }
    let mut client = site.open("/echo").await;
    client.expect_silence(Duration::from_secs(24)).await;
    client.expect_ping().await;
    client.expect_silence(Duration::from_secs(19)).await;
    client.expect_end().await;
}

async fn close_past_pings(client: &mut Client) {
    client.send(Frame::close(1000, "")).await;
    while let Some(frame) = client.recv().await {
        assert!(
            matches!(frame.opcode, opcode::PING | opcode::CLOSE),
            "got {frame:?}"
        );
    }
}
