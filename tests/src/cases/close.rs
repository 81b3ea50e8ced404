//! The handler closes.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;
use wharf_sdk::{Configure, Result, Route, Socket, State};

use crate::{Host, Notes, Site, client::Frame};

/// `close` sends its code and reason; the outcome is the handler's and clean.
pub async fn with_code_and_reason(host: &dyn Host) {
    let codes = [
        1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
    ];
    let site = &Site::fixture(host).await;
    join_all(codes.map(|code| async move {
        let mut client = site.open(&format!("/close/{code}")).await;
        assert_eq!(client.expect_close(code).await, "bye");
    }))
    .await;
    let mut closed = site.events.wait_for("closed", codes.len()).await;
    closed.sort_by_key(|event| event.code);
    for (event, code) in closed.iter().zip(codes) {
        event.expect_outcome(code, true, "handler");
        assert_eq!(event.reason.as_deref(), Some("bye"));
    }
}

/// A code that may not be sent is refused with a typed error, and the socket stays usable.
pub async fn unsendable_codes_are_refused(host: &dyn Host) {
    let codes = [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1999, 2000, 2999, 5000, 65_535,
    ];
    let site = &Site::fixture(host).await;
    join_all(codes.map(|code| async move {
        let mut client = site.open(&format!("/close/{code}")).await;
        client.expect_text("refused:WHARF_CLOSE_CODE").await;
        client.expect_close(1000).await;
    }))
    .await;
}

/// A reason over 123 bytes is refused with a typed error; one of exactly 123 is sent.
pub async fn long_reasons_are_refused(host: &dyn Host) {
    let site = Site::of(host, |app| {
        app.route(Route::new(
            "/reasons",
            async |mut socket: Socket| -> Result<()> {
                for reason in ["x".repeat(124), "é".repeat(62)] {
                    if let Err(refused) = socket.close(1000, reason).await {
                        socket.write(refused.code().to_owned()).await?;
                    }
                }
                socket.close(1000, "y".repeat(123)).await
            },
        ))
    })
    .await;
    let mut client = site.open("/reasons").await;
    client.expect_text("WHARF_CLOSE_REASON").await;
    client.expect_text("WHARF_CLOSE_REASON").await;
    assert_eq!(client.expect_close(1000).await, "y".repeat(123));
}

/// `close` flushes what is queued before its frame, and waits for the peer's.
pub async fn flushes_and_waits(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let closes = async |State(notes): State<Notes>, mut socket: Socket| -> Result<()> {
        for number in 0..100 {
            socket.write(number.to_string()).await?;
        }
        notes.add("closing");
        socket.close(4000, "").await?;
        notes.add("closed");
        Ok(())
    };
    let site = Site::of(host, |app| {
        app.state(notes).route(Route::new("/close", closes))
    })
    .await;
    let mut client = site.open("/close").await;
    for number in 0..100 {
        client.expect_text(&number.to_string()).await;
    }
    client.expect_close_frame(4000).await;
    noted.expect("closing").await;
    client.expect_silence(Duration::from_millis(200)).await;
    assert!(
        noted.rest().is_empty(),
        "close returned before the peer answered"
    );
    client.send(Frame::close(4000, "")).await;
    client.expect_end().await;
    noted.expect("closed").await;
}

/// Closing again changes nothing and succeeds.
pub async fn idempotent(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let closes = async |State(notes): State<Notes>, mut socket: Socket| -> Result<()> {
        socket.close(4001, "first").await?;
        notes.add("first");
        socket.close(4002, "second").await?;
        notes.add("second");
        Ok(())
    };
    let site = Site::of(host, |app| {
        app.state(notes).route(Route::new("/twice", closes))
    })
    .await;
    let mut client = site.open("/twice").await;
    assert_eq!(client.expect_close(4001).await, "first");
    noted.expect("first").await;
    noted.expect("second").await;
    site.events
        .only("closed")
        .await
        .expect_outcome(4001, true, "handler");
}

/// Writing after `close` is the typed error for closed sockets.
pub async fn no_writes_behind_it(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let closes = async |State(notes): State<Notes>, socket: Socket| -> Result<()> {
        let sender = socket.sender();
        sender.start_close(4000, "")?;
        let refused = sender.send("late").await;
        notes.add(
            refused
                .err()
                .map_or_else(String::new, |error| error.code().to_owned()),
        );
        socket.closed().await;
        Ok(())
    };
    let site = Site::of(host, |app| {
        app.state(notes).route(Route::new("/late", closes))
    })
    .await;
    site.open("/late").await.expect_close(4000).await;
    noted.expect("WHARF_CLOSED").await;
}

/// A peer that never answers costs one deadline, 5 s unless the route says otherwise; then the
/// connection is dropped, and the outcome is not clean.
pub async fn unanswered(host: &dyn Host) {
    let fixture = Site::fixture(host).await;
    for route in fixture.app.routes() {
        assert_eq!(
            route.limits.close_timeout,
            Duration::from_secs(5),
            "{}",
            route.pattern
        );
    }
    let site = closing_site(host).await;
    let opened = Instant::now();
    let mut client = site.open("/close").await;
    client.expect_close_frame(4000).await;
    client.expect_end().await;
    let waited = opened.elapsed();
    assert!(
        waited > Duration::from_millis(350),
        "dropped after {waited:?}"
    );
    assert!(waited < Duration::from_secs(5), "dropped after {waited:?}");
    site.events
        .only("closed")
        .await
        .expect_outcome(4000, false, "handler");
}

/// A peer that goes on sending instead of answering gets no longer.
pub async fn answered_with_data(host: &dyn Host) {
    let site = closing_site(host).await;
    let mut client = site.open("/close").await;
    client.expect_close_frame(4000).await;
    let started = Instant::now();
    while site.events.of("closed").is_empty() {
        client.send_text("no, listen").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "the deadline was extended"
        );
    }
    site.events
        .only("closed")
        .await
        .expect_outcome(4000, false, "handler");
}

/// A peer that vanishes instead of answering ends the wait.
pub async fn answered_with_the_end(host: &dyn Host) {
    let site = closing_site(host).await;
    let mut client = site.open("/close").await;
    client.expect_close_frame(4000).await;
    client.vanish();
    site.events
        .only("closed")
        .await
        .expect_outcome(4000, false, "handler");
}

/// Closes that cross each other on the way are a clean end.
pub async fn crossing(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/fail/4000").await;
    client
        .send_together([Frame::text("go"), Frame::close(4001, "")])
        .await;
    // Whoever came first: one close frame, then the end.
    let frame = client.recv().await.expect("a close frame");
    let (code, _) = frame.close_code_and_reason();
    assert!(matches!(code, 4000 | 4001), "got {frame:?}");
    client.expect_end().await;
    assert_eq!(site.events.only("closed").await.clean, Some(true));
}

async fn closing_site(host: &dyn Host) -> Site {
    let closes = async |mut socket: Socket| socket.close(4000, "").await;
    let route = Route::new("/close", closes).close_timeout(Duration::from_millis(400));
    Site::of(host, |app| app.route(route)).await
}
