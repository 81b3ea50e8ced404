//! What handlers write.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use wharf_sdk::{Configure, Error, Result, Route, Socket, State};

use crate::{Host, Notes, Site, client::Frame};

/// Messages leave in the order in which they were written, also when they do not all fit the
/// queue.
pub async fn order(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/push/200/2000").await;
    for number in 0..200 {
        client.expect_binary(&[number; 2000]).await;
    }
    client.expect_close(1000).await;
}

/// What a handler wrote leaves when it yields, whatever it waits for.
pub async fn leaves_when_the_handler_yields(host: &dyn Host) {
    let site = Site::of(host, |app| {
        app.route(Route::new(
            "/slow",
            async |mut socket: Socket| -> Result<()> {
                socket.write("first").await?;
                socket.write("second").await?;
                sleep(Duration::from_secs(20)).await;
                Ok(())
            },
        ))
    })
    .await;
    let started = Instant::now();
    let mut client = site.open("/slow").await;
    client.expect_text("first").await;
    client.expect_text("second").await;
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "what was written waited for the handler"
    );
}

/// A handler may speak first.
pub async fn server_speaks_first(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/greet").await;
    client.expect_text("welcome").await;
    client.expect_echo("hello").await;
    client.close().await;
}

/// `write` refuses ping, pong, close and unknown with a typed error; nothing is sent and the
/// socket stays usable.
pub async fn control_messages_are_refused(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/control-write").await;
    let codes = client.expect_json().await;
    assert_eq!(codes, serde_json::json!(vec!["WHARF_CONTROL_WRITE"; 4]));
    client.expect_echo("usable").await;
    client.close().await;
}

/// `ping` sends a ping with its payload; one that does not fit is refused.
pub async fn ping(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let pings = async |State(notes): State<Notes>, mut socket: Socket| -> Result<()> {
        socket.ping("are you there")?;
        let refused = socket.ping(vec![0; 126]);
        notes.add(
            refused
                .err()
                .map_or_else(String::new, |error| error.code().to_owned()),
        );
        crate::fixture::echo_on(&mut socket).await
    };
    let site = Site::of(host, |app| {
        app.state(notes).route(Route::new("/ping", pings))
    })
    .await;
    let mut client = site.open("/ping").await;
    assert_eq!(client.expect_ping().await, b"are you there");
    noted.expect("WHARF_PING_TOO_LARGE").await;
    client.send(Frame::pong("are you there")).await;
    client.expect_echo("usable").await;
    client.close().await;
}

/// A message over the outbound limit is a typed error and ends the session with 1009; one of
/// exactly the limit leaves.
pub async fn over_the_outbound_limit(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let writes = async |State(notes): State<Notes>, mut socket: Socket| -> Result<()> {
        socket.write(vec![0; 1000]).await?;
        for _ in 0..2 {
            let refused = socket.write(vec![0; 1001]).await;
            notes.add(
                refused
                    .err()
                    .map_or_else(String::new, |error| error.code().to_owned()),
            );
        }
        Ok(())
    };
    let route = Route::new("/large", writes).max_outbound_message_bytes(1000);
    let site = Site::of(host, |app| app.state(notes).route(route)).await;
    let mut client = site.open("/large").await;
    client.expect_binary(&[0; 1000]).await;
    client.expect_close(1009).await;
    noted.expect("WHARF_OUTBOUND_TOO_LARGE").await;
    noted.expect("WHARF_CLOSED").await;
    site.events
        .only("closed")
        .await
        .expect_outcome(1009, true, "server");
    assert_eq!(
        site.events.only("failed").await.error.as_deref(),
        Some("WHARF_OUTBOUND_TOO_LARGE")
    );
}

/// A queued message that the handler does not live to see leave is sent all the same.
pub async fn flushed_when_the_handler_returns(host: &dyn Host) {
    let site = Site::of(host, |app| {
        app.route(Route::new("/last-words", async |mut socket: Socket| {
            for number in 0..100 {
                socket.write(number.to_string()).await?;
            }
            Ok::<_, Error>(())
        }))
    })
    .await;
    let mut client = site.open("/last-words").await;
    for number in 0..100 {
        client.expect_text(&number.to_string()).await;
    }
    client.expect_close(1000).await;
}
