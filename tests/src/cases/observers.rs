//! Who hears how it went.

use std::time::Duration;

use wharf_sdk::{
    Configure, Error, ErrorKind, Observer, Phase, Principal, Result, Route, SessionInfo,
    SlowClient, Socket, Subprotocols,
    middleware::bearer,
    observer::{Closed, Rejection},
};

use crate::{Host, Notes, Request, Site, client::Frame, fixture::echo};

/// A session is told from its upgrade to its end, with everything it moved.
pub async fn a_whole_life(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/greet").await;
    client.expect_text("welcome").await;
    for _ in 0..3 {
        client.expect_echo("hello").await;
    }
    client.send(Frame::ping("does not count")).await;
    client.expect_pong(b"does not count").await;
    client.close_with(4321, "bye").await;
    let closed = site.events.only("closed").await;
    closed.expect_outcome(4321, true, "peer");
    assert_eq!(
        (closed.messages_in, closed.messages_out),
        (Some(3), Some(4))
    );
    let kinds: Vec<_> = site
        .events
        .all()
        .into_iter()
        .map(|event| event.event)
        .collect();
    assert_eq!(kinds, ["upgraded", "closed"]);
}

/// A refusal is told with its status, its error and the phase in which it happened.
pub async fn refusals(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let (refused, not_an_upgrade) = host.refusal_of_get();
    let refusals = [
        (
            Request::upgrade("/nowhere"),
            404,
            "WHARF_NOT_FOUND",
            "match",
        ),
        (
            Request::upgrade("/rooms/%FF"),
            400,
            "WHARF_PATH_NOT_UTF8",
            "match",
        ),
        (
            Request::plain("GET", "/echo"),
            refused,
            not_an_upgrade,
            "handshake",
        ),
        (
            Request::upgrade("/echo").with("Origin", "null"),
            403,
            "WHARF_ORIGIN_DENIED",
            "handshake",
        ),
        (
            Request::upgrade("/middleware-error"),
            500,
            "WHARF_HANDLER",
            "middleware",
        ),
        (
            Request::upgrade("/close/x"),
            400,
            "WHARF_PATH_PARAMETER",
            "upgrade",
        ),
    ];
    for (request, status, code, phase) in refusals.clone() {
        let shown = format!("{request:?}");
        site.request(request).await.expect_problem(status, code);
        let told = site.events.wait_for("rejected", 1).await;
        let told = told.last().expect("an event");
        assert_eq!(told.code, Some(status), "for {shown}");
        told.expect_error(code, phase);
    }
    assert_eq!(
        site.events.all().len(),
        refusals.len(),
        "in {:?}",
        site.events.all()
    );
}

/// Observers hear everything that is known: route, driver, peer, subprotocol, principal,
/// duration, what was dropped.
pub async fn details(host: &dyn Host) {
    struct Noting(Notes);
    impl Observer for Noting {
        fn upgraded(&self, session: &SessionInfo) {
            assert!(session.peer().is_some_and(|peer| peer.ip().is_loopback()));
            assert!(!session.driver().is_empty());
            let protocol = session.subprotocol().unwrap_or("none");
            let principal = session.principal().unwrap_or("none");
            self.0
                .add(format!("{} {protocol} {principal}", session.pattern()));
        }

        fn closed(&self, session: &SessionInfo, closed: &Closed<'_>) {
            assert!(closed.duration >= Duration::from_millis(50));
            let counts = closed.counts;
            self.0.add(format!(
                "{} in {} of {} bytes, out {} of {} bytes, {} dropped",
                session.pattern(),
                counts.messages_in,
                counts.bytes_in,
                counts.messages_out,
                counts.bytes_out,
                counts.messages_dropped,
            ));
        }
    }
    let (notes, mut noted) = Notes::new();
    let verify = async |token: String| Ok(Some(Principal::new(token)));
    let drops = async |mut socket: Socket| {
        let sender = socket.sender();
        for _ in 0..3 {
            sender.try_send("12345")?;
        }
        socket.read().await?;
        tokio::time::sleep(Duration::from_millis(60)).await;
        Ok::<_, Error>(())
    };
    let route = Route::new("/rooms/{room}", drops)
        .queue_bytes(10)
        .max_outbound_message_bytes(10)
        .slow_client(SlowClient::DropNewest)
        .subprotocols(Subprotocols::optional(["chat.v1"]))
        .middleware(bearer(verify));
    let site = Site::of(host, |app| app.observer(Noting(notes)).route(route)).await;
    let request = Request::upgrade("/rooms/1")
        .with("Authorization", "Bearer alice")
        .with("Sec-WebSocket-Protocol", "chat.v1");
    let mut client = site.open_with(request).await;
    noted.expect("/rooms/{room} chat.v1 alice").await;
    client.send_text("1234567").await;
    client.expect_text("12345").await;
    client.expect_text("12345").await;
    client.expect_close(1000).await;
    let expected = "/rooms/{room} in 1 of 7 bytes, out 2 of 10 bytes, 1 dropped";
    noted.expect(expected).await;
}

/// A failure is told in full: kind, code, public message, private cause and context, phase.
pub async fn failures_in_full(host: &dyn Host) {
    struct Noting(Notes);
    impl Observer for Noting {
        fn failed(&self, session: &SessionInfo, error: &Error) {
            let phase = error.phase().map_or("none", Phase::as_str);
            let context: Vec<_> = error.context().collect();
            self.0
                .add(format!("{} {} {}", session.pattern(), error.kind(), phase));
            self.0.add(error);
            self.0.add(error.cause_chain());
            self.0.add(format!("{context:?} {}", error.is_expected()));
        }
    }
    let fails = async |_: Socket| -> Result<()> {
        Err(
            Error::new(ErrorKind::Unavailable, "MY_DATABASE", "try again later")
                .with_source("connection refused")
                .with_context("database", "orders")
                .with_expected(false),
        )
    };
    let (notes, mut noted) = Notes::new();
    let site = Site::of(host, |app| {
        app.observer(Noting(notes))
            .route(Route::new("/fails", fails))
    })
    .await;
    let mut client = site.open("/fails").await;
    let frame = client.recv().await.expect("a close frame");
    assert!(
        !frame.close_code_and_reason().1.contains("refused"),
        "the cause leaks: {frame:?}"
    );
    noted.expect("/fails unavailable handler").await;
    noted.expect("MY_DATABASE: try again later").await;
    noted.expect("connection refused").await;
    noted.expect("[(\"database\", \"orders\")] false").await;
}

/// What observers are told of a route has the prefix that the app is mounted under, as what the
/// server around it logs has; the app's own pattern is there besides.
pub async fn routes_as_mounted(host: &dyn Host) {
    struct Noting(Notes);
    impl Observer for Noting {
        fn upgraded(&self, session: &SessionInfo) {
            self.0
                .add(format!("{} ({})", session.route(), session.pattern()));
        }

        fn rejected(&self, rejection: &Rejection<'_>) {
            let context = rejection.context;
            self.0.add(format!(
                "refused: {} ({})",
                context.route(),
                context.pattern()
            ));
        }
    }
    let (notes, mut noted) = Notes::new();
    let site = Site::of(host, |app| {
        app.observer(Noting(notes))
            .route(Route::new("/rooms/{room}", echo))
    })
    .await;
    let whole = format!("{}/rooms/{{room}} (/rooms/{{room}})", site.mount());
    for _ in 0..2 {
        site.open("/rooms/lobby").await.expect_echo("in").await;
        noted.expect(&whole).await;
    }
    // A plain request; what it is told depends on the version of HTTP.
    let _ = site.request(Request::plain("GET", "/rooms/lobby")).await;
    noted.expect(&format!("refused: {whole}")).await;
}

/// Observers are told in the order in which they were added, and one that panics harms neither
/// the others nor the session.
pub async fn isolated_and_in_order(host: &dyn Host) {
    struct Named(&'static str, Notes);
    impl Named {
        fn note(&self, what: &str) {
            self.1.add(format!("{} {what}", self.0));
            assert!(self.0 != "second", "an observer panics");
        }
    }
    impl Observer for Named {
        fn upgraded(&self, _: &SessionInfo) {
            self.note("upgraded");
        }

        fn rejected(&self, _: &Rejection<'_>) {
            self.note("rejected");
        }

        fn closed(&self, _: &SessionInfo, _: &Closed<'_>) {
            self.note("closed");
        }

        fn failed(&self, _: &SessionInfo, _: &Error) {
            self.note("failed");
        }
    }
    let (notes, mut noted) = Notes::new();
    let site = Site::of(host, |app| {
        app.observer(Named("first", notes.clone()))
            .observer(Named("second", notes.clone()))
            .observer(Named("third", notes))
            .route(Route::new("/echo", echo))
    })
    .await;
    let mut expect = async |what: &str| {
        for name in ["first", "second", "third"] {
            noted.expect(&format!("{name} {what}")).await;
        }
    };
    site.request(Request::plain("GET", "/echo"))
        .await
        .expect(host.refusal_of_get().0);
    expect("rejected").await;
    let mut client = site.open("/echo").await;
    expect("upgraded").await;
    client.expect_echo("unharmed").await;
    client.send(Frame::text("bare").unmasked()).await;
    client.expect_close(1002).await;
    expect("failed").await;
    expect("closed").await;
    site.expect_no_connections().await;
}

/// A middleware's own response and a fallback's are no errors: the one is told without, the other
/// not at all.
pub async fn without_an_error(host: &dyn Host) {
    let site = Site::fixture(host).await;
    site.request(Request::plain("GET", "/fallback"))
        .await
        .expect(200);
    site.request(Request::upgrade("/teapot")).await.expect(418);
    let told = site.events.only("rejected").await;
    assert_eq!((told.error, told.phase), (None, None));
    assert_eq!(site.events.all().len(), 1);
}
