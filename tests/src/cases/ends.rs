//! Every way in which a session ends because of its handler.

use wharf_sdk::{
    BoxError, Context, Error, Next, Path, Result, Route, Socket, State, middleware::from_fn,
};

use crate::{Host, Notes, Site, client::Frame};

/// A handler that returns ends its session with 1000.
pub async fn handler_returns(host: &dyn Host) {
    let site = Site::fixture(host).await;
    assert_eq!(site.open("/return").await.expect_close(1000).await, "");
    site.events
        .only("closed")
        .await
        .expect_outcome(1000, true, "handler");
    assert!(
        site.events.of("failed").is_empty(),
        "returning is no failure"
    );
}

/// An error that carries a code and a reason ends the session with them; observers are told that
/// it failed.
pub async fn handler_returns_a_close(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/fail/4321").await;
    client.send_text("go").await;
    assert_eq!(client.expect_close(4321).await, "custom");
    site.events
        .only("closed")
        .await
        .expect_outcome(4321, true, "handler");
    site.events
        .only("failed")
        .await
        .expect_error("WHARF_HANDLER_CLOSE", "handler");
}

/// An error whose code may not be sent ends the session with 1011.
pub async fn handler_returns_an_unsendable_close(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/fail/1006").await;
    client.send_text("go").await;
    client.expect_close(1011).await;
    site.events
        .only("failed")
        .await
        .expect_error("WHARF_CLOSE_CODE", "handler");
}

/// Any other error ends the session with 1011 and hides the reason; observers are told the error
/// and its phase.
pub async fn handler_fails(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/fail").await;
    client.send_text("go").await;
    assert_eq!(client.expect_close(1011).await, "", "the reason is private");
    site.events
        .only("closed")
        .await
        .expect_outcome(1011, true, "handler");
    let failed = site.events.only("failed").await;
    failed.expect_error("WHARF_HANDLER", "handler");
    assert!(
        failed.cause.contains("hunter2"),
        "observers see the cause, in {failed:?}"
    );
}

/// In debug mode the reason shows the cause, cut at a character to what a close frame holds.
pub async fn handler_fails_in_debug_mode(host: &dyn Host) {
    let fails = async |Path(padding): Path<usize>, _: Socket| -> Result<(), BoxError> {
        Err(format!("{}{}", "-".repeat(padding), "€".repeat(100)).into())
    };
    let site = Site::of(host, |app| {
        app.debug(true).route(Route::new("/fail/{padding}", fails))
    })
    .await;
    // Three bytes a character: wherever the cut falls, one of these has it inside of one.
    for padding in 0..3 {
        let mut client = site.open(&format!("/fail/{padding}")).await;
        let reason = client.expect_close(1011).await;
        assert!(reason.contains("€€€"), "the cause is shown in {reason:?}");
        assert!(
            matches!(reason.len(), 121..=123),
            "the reason has {} bytes",
            reason.len()
        );
    }
}

/// A panic ends its session with 1011; observers are told, and every other session is unharmed.
pub async fn handler_panics(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut bystander = site.open("/echo").await;
    for _ in 0..3 {
        let mut client = site.open("/panic").await;
        client.send_text("go").await;
        assert_eq!(client.expect_close(1011).await, "", "the reason is private");
        bystander.expect_echo("unharmed").await;
    }
    for event in site.events.wait_for("closed", 3).await {
        event.expect_outcome(1011, true, "handler");
    }
    for event in site.events.wait_for("failed", 3).await {
        event.expect_error("WHARF_PANIC", "handler");
        assert!(event.cause.contains("the handler panics"), "in {event:?}");
    }
    bystander.close().await;
    site.open("/echo")
        .await
        .expect_echo("the server goes on")
        .await;
}

/// A panic right at the first poll, before anything was awaited, is caught as well.
pub async fn handler_panics_at_once(host: &dyn Host) {
    let site = Site::of(host, |app| {
        app.route(Route::new("/panic", async |socket: Socket| {
            assert!(socket.subprotocol().is_some(), "at once");
        }))
    })
    .await;
    site.open("/panic").await.expect_close(1011).await;
    site.events
        .only("failed")
        .await
        .expect_error("WHARF_PANIC", "handler");
}

/// A destructor that panics while the handler unwinds from nothing takes only its session along.
pub async fn destructor_panics(host: &dyn Host) {
    struct Grenade;
    impl Drop for Grenade {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("a destructor panics");
            }
        }
    }
    let site = Site::of(host, |app| {
        app.route(Route::new(
            "/grenade",
            async |mut socket: Socket| -> Result<()> {
                let _grenade = Grenade;
                socket.read().await?;
                Ok(())
            },
        ))
        .route(Route::new("/echo", crate::fixture::echo))
    })
    .await;
    let mut bystander = site.open("/echo").await;
    let mut client = site.open("/grenade").await;
    client.send_text("go").await;
    client.expect_close(1011).await;
    bystander.expect_echo("unharmed").await;
    bystander.close().await;
    site.expect_no_connections().await;
}

/// A panic whose payload panics in its own drop is a panic like any other.
pub async fn panic_payload_panics(host: &dyn Host) {
    struct Grenade;
    impl Drop for Grenade {
        fn drop(&mut self) {
            std::panic::panic_any("as it should");
        }
    }
    let throws = async |_socket: Socket| -> Result<()> { std::panic::panic_any(Grenade) };
    let site = Site::of(host, |app| {
        app.route(Route::new("/throws", throws))
            .route(Route::new("/echo", crate::fixture::echo))
    })
    .await;
    let mut neighbour = site.open("/echo").await;
    site.open("/throws").await.expect_close(1011).await;
    site.events
        .only("failed")
        .await
        .expect_error("WHARF_PANIC", "handler");
    neighbour.expect_echo("unharmed").await;
}

/// What a context holds for its session may panic when it is dropped: observers are told, the
/// session has ended as it had, and nothing of it is left.
pub async fn guard_panics(host: &dyn Host) {
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            std::panic::panic_any("as it should");
        }
    }
    let holds = from_fn(async |mut context: Context, next: Next| {
        context.hold(Guard);
        context.hold(Guard);
        Ok(next.run(context).await)
    });
    let site = Site::of(host, |app| {
        app.route(Route::new("/held", crate::fixture::echo).middleware(holds))
            .route(Route::new("/echo", crate::fixture::echo))
    })
    .await;
    let mut neighbour = site.open("/echo").await;
    site.open("/held").await.close().await;
    site.events
        .only("closed")
        .await
        .expect_outcome(1000, true, "peer");
    for failed in site.events.wait_for("failed", 2).await {
        failed.expect_error("WHARF_PANIC", "session");
    }
    site.expect_connections(1).await;
    neighbour.expect_echo("unharmed").await;
}

/// A handler that passes on the error of writing to a closed socket did not fail.
pub async fn passing_on_closed_is_no_failure(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let writes = async |State(notes): State<Notes>, mut socket: Socket| -> Result<(), Error> {
        while socket.read().await?.is_some() {}
        socket.closed().await;
        notes.add("read to the end");
        socket.write("late").await
    };
    let site = Site::of(host, |app| {
        app.state(notes).route(Route::new("/late", writes))
    })
    .await;
    let mut client = site.open("/late").await;
    client.close().await;
    noted.expect("read to the end").await;
    site.events
        .only("closed")
        .await
        .expect_outcome(1000, true, "peer");
    assert!(site.events.of("failed").is_empty());
}

/// A handler that drops its socket and goes on keeps its session; pings are still answered.
pub async fn socket_dropped_early(host: &dyn Host) {
    let site = Site::of(host, |app| {
        app.route(Route::new("/drop", async |socket: Socket| -> Result<()> {
            let sender = socket.sender();
            drop(socket);
            sender.send("still here").await?;
            sender.closed().await;
            Ok(())
        }))
    })
    .await;
    let mut client = site.open("/drop").await;
    client.expect_text("still here").await;
    client.send_text("discarded").await;
    client.send(Frame::ping("x")).await;
    client.expect_pong(b"x").await;
    client.close().await;
}
