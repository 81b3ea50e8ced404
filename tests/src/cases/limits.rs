//! How much a peer may send, and how an app that contradicts itself is refused.

use std::time::Duration;

use tokio::time::Instant;
use wharf_sdk::{
    App, Configure, Error, Group, RateLimit, RatePolicy, Result, Route, Socket, Subprotocols,
};

use crate::{Host, Site, client::Frame, fixture::echo};

/// Policy wait: a peer over its rate is slowed down and loses nothing.
pub async fn rate_wait(host: &dyn Host) {
    let site = rated_site(host, RatePolicy::Wait).await;
    let mut client = site.open("/rated").await;
    let started = Instant::now();
    client
        .send_together((0..20).map(|number| Frame::text(number.to_string())))
        .await;
    for number in 0..20 {
        client.expect_text(&number.to_string()).await;
    }
    let took = started.elapsed();
    assert!(
        took >= Duration::from_millis(800),
        "20 messages at 10 a second took only {took:?}"
    );
    client.close().await;
}

/// Policy error: `read` yields a typed error in place of the message.
pub async fn rate_error(host: &dyn Host) {
    let site = rated_site(host, RatePolicy::Error).await;
    let mut client = site.open("/rated").await;
    client
        .send_together((0..20).map(|number| Frame::text(number.to_string())))
        .await;
    for number in 0..10 {
        client.expect_text(&number.to_string()).await;
    }
    client.expect_text("WHARF_RATE_LIMITED").await;
}

/// Policy close: the session ends with 1008.
pub async fn rate_close(host: &dyn Host) {
    let site = rated_site(host, RatePolicy::Close).await;
    let mut client = site.open("/rated").await;
    client
        .send_together((0..20).map(|number| Frame::text(number.to_string())))
        .await;
    for number in 0..10 {
        client.expect_text(&number.to_string()).await;
    }
    client.expect_close(1008).await;
    site.events
        .only("failed")
        .await
        .expect_error("WHARF_RATE_LIMITED", "session");
}

/// Control frames are exempt.
pub async fn control_frames_are_exempt(host: &dyn Host) {
    let site = rated_site(host, RatePolicy::Close).await;
    let mut client = site.open("/rated").await;
    for number in 0..30u8 {
        client.send(Frame::ping(vec![number])).await;
        client.expect_pong(&[number]).await;
    }
    client.expect_echo("still here").await;
    client.close().await;
}

/// What a route leaves open it inherits from its group, then from the app; what it sets, wins.
pub async fn inheritance(host: &dyn Host) {
    let site = Site::of(host, |app| {
        app.max_message_bytes(100)
            .route(Route::new("/app", echo))
            .group(
                Group::new("/group")
                    .max_message_bytes(200)
                    .route(Route::new("/inherits", echo))
                    .route(Route::new("/overrides", echo).max_message_bytes(300)),
            )
    })
    .await;
    for (path, limit) in [
        ("/app", 100),
        ("/group/inherits", 200),
        ("/group/overrides", 300),
    ] {
        let mut client = site.open(path).await;
        client.expect_echo(&"x".repeat(limit)).await;
        client.send_text(&"x".repeat(limit + 1)).await;
        client.expect_close(1009).await;
    }
}

/// An app that cannot be what it says is refused when it is built, naming route and value.
pub async fn contradictions(_host: &dyn Host) {
    let second = Duration::from_secs(1);
    let wrong = [
        (
            Route::new("/r", echo).max_message_bytes(0),
            "max_message_bytes",
        ),
        (Route::new("/r", echo).queue_messages(0), "queue_messages"),
        (
            Route::new("/r", echo).idle_timeout(Duration::ZERO),
            "idle_timeout",
        ),
        (
            Route::new("/r", echo).heartbeat(Duration::ZERO, second),
            "interval",
        ),
        (
            Route::new("/r", echo)
                .queue_bytes(10)
                .max_outbound_message_bytes(11),
            "queue_bytes",
        ),
        (
            Route::new("/r", echo).rate_limit(RateLimit::per_second(0)),
            "rate_limit",
        ),
        (
            Route::new("/r", echo).subprotocols(Subprotocols::optional(["a b"])),
            "a b",
        ),
        (Route::new("/r/{a}/{a", echo), "/r/{a}/{a"),
    ];
    for (route, value) in wrong {
        let error = App::builder().route(route).build().expect_err(value);
        assert_eq!(error.code(), "WHARF_CONFIG");
        assert!(
            error.message().contains("/r"),
            "the route is named in {error}"
        );
        assert!(
            error.message().contains(value),
            "the value is named in {error}"
        );
    }
    let clash = App::builder()
        .route(Route::new("/a/{b}", echo))
        .route(Route::new("/a/{c}", echo))
        .build()
        .expect_err("a clash");
    assert!(
        clash.message().contains("/a/{b}") && clash.message().contains("/a/{c}"),
        "{clash}"
    );
}

async fn rated_site(host: &dyn Host, policy: RatePolicy) -> Site {
    let rated = async |mut socket: Socket| -> Result<()> {
        loop {
            match socket.read().await {
                Ok(Some(message)) => socket.write(message).await?,
                Ok(None) => return Ok(()),
                Err(error) => {
                    socket.write(error.code().to_owned()).await?;
                    return Err(Error::close(4000, "enough"));
                }
            }
        }
    };
    let limit = RateLimit::per_second(10).on_excess(policy);
    Site::of(host, |app| {
        app.route(Route::new("/rated", rated).rate_limit(limit))
    })
    .await
}
