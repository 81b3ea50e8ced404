//! Against the in-memory host, under paused time.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};
use wharf_client::{
    Client, Rejected, Request,
    link::{Event, Link, LinkBuilder, WhileAway, Why, position_in_envelope},
};
use wharf_sdk::{
    App, CloseCode, Configure, Context, Error, ErrorKind, Message, Principal, Result, Route,
    Socket, State, Subprotocols, WebSocketExt,
    http::StatusCode,
    middleware, response,
    testing::{Recorder, TestHost},
};

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

/// Echoes until it is told to restart.
async fn echo_until_restart(mut socket: Socket) -> Result<()> {
    while let Some(text) = socket.read_text().await? {
        if text == "restart" {
            return Err(Error::close(CloseCode::RESTART, ""));
        }
        socket.write(text).await?;
    }
    Ok(())
}

async fn close_as_told(mut socket: Socket) -> Result<()> {
    let code = socket.read_text().await?.unwrap_or_default();
    Err(Error::close(code.parse::<u16>().unwrap_or(1000), "as told"))
}

fn host() -> TestHost {
    let busy = Route::new("/busy", echo).fallback(async |_| response::text(StatusCode::OK, "busy"));
    let private = Route::new("/private", echo)
        .middleware(middleware::bearer(async |token: String| {
            Ok((token == "good").then(|| Principal::new("me")))
        }))
        .require_auth();
    let protocols = Route::new("/protocols", echo).subprotocols(Subprotocols::optional(["b", "a"]));
    let app = App::builder()
        .route(Route::new("/echo", echo))
        .route(Route::new("/restart", echo_until_restart))
        .route(Route::new("/close", close_as_told))
        .route(private)
        .route(busy)
        .route(protocols)
        .build();
    TestHost::new(app.unwrap())
}

fn client(host: &TestHost) -> Client {
    Client::builder().in_memory(host.clone()).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn subprotocols_are_offered_and_headers_sent() {
    let host = host();
    let client = Client::builder()
        .in_memory(host)
        .offer(["a", "b"])
        .build()
        .unwrap();
    let socket = client.connect("ws://test/protocols").await.unwrap();
    assert_eq!(socket.subprotocol(), Some("b"));
}

#[tokio::test(start_paused = true)]
async fn refusals_carry_the_answer() {
    let client = client(&host());
    for (path, status, kind) in [
        ("nowhere", 404, ErrorKind::NotFound),
        ("private", 401, ErrorKind::Unauthorized),
    ] {
        let error = client
            .connect(format!("ws://test/{path}"))
            .await
            .unwrap_err();
        assert_eq!(
            (error.code(), error.kind()),
            ("WHARF_CLIENT_REJECTED", kind)
        );
        let rejected = Rejected::of(&error).unwrap();
        assert_eq!(rejected.status(), status);
        assert!(rejected.body().starts_with(b"{"), "the problem document");
    }
}

#[tokio::test(start_paused = true)]
async fn limits_are_the_clients_own() {
    let host = host();
    let recorder = Recorder::default();
    let client = Client::builder()
        .in_memory(host)
        .max_message_bytes(10)
        .observer(recorder.clone())
        .build()
        .unwrap();
    let mut socket = client.connect("ws://test/echo").await.unwrap();
    socket.write("01234567890").await.unwrap();
    assert_eq!(socket.read().await.unwrap(), None);
    socket.closed().await;
    assert_eq!(socket.outcome().unwrap().code, CloseCode::TOO_BIG);
    sleep(Duration::from_secs(9)).await;
    assert_eq!(recorder.outcomes(), [socket.outcome().unwrap()]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_of_a_server_runs_on_this_side() {
    async fn ask(context: Context, State(word): State<String>, mut socket: Socket) -> Result<()> {
        assert_eq!(context.path(), "/echo");
        socket.write(word.clone()).await?;
        assert_eq!(socket.read().await?, Some(word.into()));
        Err(Error::close(4007, "asked"))
    }
    let client = Client::builder()
        .in_memory(host())
        .state("word".to_owned())
        .build()
        .unwrap();
    let outcome = client.run("ws://test/echo", ask).await.unwrap();
    assert_eq!((outcome.code, outcome.clean), (CloseCode::new(4007), true));

    async fn path(wharf_sdk::Path(_): wharf_sdk::Path<String>, _: Socket) {}
    let error = client.run("ws://test/echo", path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest, "{error}");
}

/// A server that can be taken away and brought back; it keeps what it hears.
#[derive(Clone, Default)]
struct Site {
    host: Arc<Mutex<Option<TestHost>>>,
    heard: Arc<Mutex<Vec<u32>>>,
}

impl Site {
    fn start(&self) {
        let heard = Arc::clone(&self.heard);
        let listen = move |mut socket: Socket| {
            let heard = Arc::clone(&heard);
            async move {
                while let Some(text) = socket.read_text().await? {
                    heard.lock().unwrap().push(text.parse().unwrap());
                }
                Ok::<_, Error>(())
            }
        };
        let app = App::builder().route(Route::new("/", listen)).build();
        *self.host.lock().unwrap() = Some(TestHost::new(app.unwrap()));
    }

    /// Ends it: at once, or in an orderly way.
    async fn stop(&self, within: Duration) {
        let host = self.host.lock().unwrap().take();
        host.unwrap().app().handle().shutdown(within).await;
    }

    fn link(&self) -> LinkBuilder {
        let host = Arc::clone(&self.host);
        Client::builder()
            .in_memory_when(move || host.lock().unwrap().clone())
            .build()
            .unwrap()
            .reconnecting_to("ws://test/")
    }
}

async fn next(link: &mut Link) -> Event {
    timeout(Duration::from_secs(600), link.next())
        .await
        .expect("no event")
        .expect("the link ended")
}

async fn connected(link: &mut Link, is_again: bool) {
    match next(link).await {
        Event::Connected { again } => assert_eq!(again, is_again),
        other => panic!("{other:?}"),
    }
}

fn link_to(host: &TestHost, path: &str) -> LinkBuilder {
    client(host)
        .reconnecting_to(format!("ws://test{path}"))
        .jitter(|| 1.0)
}

#[tokio::test(start_paused = true)]
async fn a_link_comes_back_and_says_so() {
    let host = host();
    let mut link = link_to(&host, "/restart").open();
    connected(&mut link, false).await;
    link.sender().send("one").await.unwrap();
    assert!(matches!(next(&mut link).await, Event::Message(message) if message == "one".into()));
    link.sender().send("restart").await.unwrap();
    let Event::Disconnected(ending) = next(&mut link).await else {
        panic!("still connected");
    };
    assert!(matches!(&ending.why, Why::Closed(outcome) if outcome.code == CloseCode::RESTART));
    assert_eq!(ending.retry_in, Some(Duration::from_millis(500)));
    // The pong to the first came; the second was never confirmed.
    assert_eq!(ending.unconfirmed_messages, 1);
    link.sender().send("two").await.unwrap();
    connected(&mut link, true).await;
    assert!(matches!(next(&mut link).await, Event::Gap));
    assert!(matches!(next(&mut link).await, Event::Message(message) if message == "two".into()));
    let ending = link.close(1000, "done").await.unwrap().unwrap();
    assert!(ending.is_final() && ending.unsent_messages == 0);
}

#[tokio::test(start_paused = true)]
async fn waits_grow_until_a_connection_was_stable() {
    let host = host();
    let mut link = link_to(&host, "/close").open();
    let mut waits = Vec::new();
    for round in 0..7 {
        connected(&mut link, round > 0).await;
        if round > 0 {
            assert!(matches!(next(&mut link).await, Event::Gap));
        }
        if round == 4 {
            sleep(Duration::from_secs(10)).await;
        }
        link.sender().send("1013").await.unwrap();
        let Event::Disconnected(ending) = next(&mut link).await else {
            panic!("still connected");
        };
        waits.push((ending.attempt, ending.retry_in.unwrap().as_millis()));
    }
    assert_eq!(
        waits,
        [
            (1, 500),
            (2, 1000),
            (3, 2000),
            (4, 4000),
            (5, 500),
            (1, 1000),
            (2, 2000)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn final_codes_and_statuses_end_a_link() {
    let host = host();
    for code in ["1000", "1008", "3000", "4001"] {
        let mut link = link_to(&host, "/close").open();
        connected(&mut link, false).await;
        link.sender().send(code).await.unwrap();
        assert!(matches!(next(&mut link).await, Event::Disconnected(ending) if ending.is_final()));
        assert!(link.next().await.is_none());
        assert_eq!(
            link.sender().send("x").await.unwrap_err().code(),
            "WHARF_CLOSED"
        );
    }
    let mut link = link_to(&host, "/nowhere").open();
    link.sender().try_send("in vain").unwrap();
    let Event::Disconnected(ending) = next(&mut link).await else {
        panic!("connected");
    };
    assert!(ending.is_final());
    assert_eq!(
        (ending.rejected().unwrap().status(), ending.unsent_messages),
        (StatusCode::NOT_FOUND, 1)
    );

    let mut stubborn = link_to(&host, "/nowhere").final_when(|_| false).open();
    assert!(matches!(next(&mut stubborn).await, Event::Disconnected(ending) if !ending.is_final()));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured() {
    let host = host();
    let app = host.app().handle();
    tokio::spawn(async move { app.shutdown(Duration::from_secs(1)).await });
    sleep(Duration::from_secs(1)).await;
    let mut link = link_to(&host, "/echo").jitter(|| 0.0).open();
    let Event::Disconnected(ending) = next(&mut link).await else {
        panic!("connected");
    };
    assert_eq!(
        ending.rejected().unwrap().status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(ending.retry_in, Some(Duration::from_secs(5)));
}

#[tokio::test(start_paused = true)]
async fn what_is_written_while_away_waits_or_is_refused() {
    let host = host();
    let app = host.app().handle();
    tokio::spawn(async move { app.shutdown(Duration::from_secs(1)).await });
    sleep(Duration::from_secs(1)).await;
    let queueing = link_to(&host, "/echo").queue(2, 100).open();
    let sender = queueing.sender();
    sender.send("a").await.unwrap();
    sender.send("b").await.unwrap();
    assert_eq!(
        sender.try_send("c").unwrap_err().code(),
        "WHARF_BACKPRESSURE"
    );
    assert!(
        timeout(Duration::from_secs(60), sender.send("c"))
            .await
            .is_err()
    );
    drop(queueing);
    assert_eq!(sender.send("c").await.unwrap_err().code(), "WHARF_CLOSED");

    let refusing = link_to(&host, "/echo").while_away(WhileAway::Refuse).open();
    let error = refusing.sender().send("a").await.unwrap_err();
    assert_eq!(error.code(), "WHARF_LINK_AWAY");
}

#[tokio::test(start_paused = true)]
async fn each_connection_asks_for_its_request_and_hands_the_position_over() {
    async fn room(context: Context, mut socket: Socket) -> Result<()> {
        let since = context.query().unwrap_or("nothing").to_owned();
        socket
            .write(format!(r#"{{"message":"{since}","position":"e:1"}}"#))
            .await?;
        Err(Error::close(1012, ""))
    }
    let app = App::builder()
        .route(Route::new("/room", room))
        .build()
        .unwrap();
    let client = client(&TestHost::new(app));
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    let mut link = client
        .reconnecting(move |attempt| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move {
                assert!(attempt.number == 1 || attempt.position.as_deref() == Some("e:1"));
                Request::to("ws://test/room?name=x").bearer("fresh")
            }
        })
        .positions(position_in_envelope)
        .open();
    let mut heard = Vec::new();
    while heard.len() < 2 {
        match next(&mut link).await {
            Event::Message(Message::Text(text)) => heard.push(text.to_string()),
            Event::Gap => panic!("the server says whether it resumed"),
            _ => {}
        }
    }
    assert!(heard[0].contains(r#""name=x""#), "{heard:?}");
    assert!(heard[1].contains(r#""name=x&since=e%3A1""#), "{heard:?}");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_or_hangs_is_tried_again() {
    let client = client(&host());
    let mut link = client
        .reconnecting(|attempt| async move {
            match attempt.number {
                1 => Err(Error::new(
                    ErrorKind::Unavailable,
                    "ACME_NO_TOKEN",
                    "no token now",
                )),
                2 => std::future::pending().await,
                _ => Ok(Request::to("ws://test/echo")),
            }
        })
        .open();
    for code in ["ACME_NO_TOKEN", "WHARF_REQUEST_TIMEOUT"] {
        match next(&mut link).await {
            Event::Disconnected(ending) => {
                assert!(matches!(&ending.why, Why::Failed(error) if error.code() == code));
            }
            other => panic!("{other:?}"),
        }
    }
    connected(&mut link, false).await;
}

#[tokio::test(start_paused = true)]
async fn closing_sends_what_waits_and_ends_a_wait() {
    let site = Site::default();
    site.start();
    let mut link = site.link().open();
    connected(&mut link, false).await;
    let sender = link.sender();
    for number in 0..100 {
        sender.send(number.to_string()).await.unwrap();
    }
    let ending = link.close(4321, "enough").await.unwrap().unwrap();
    let Why::Closed(outcome) = ending.why else {
        panic!("never connected");
    };
    assert_eq!((outcome.code, outcome.clean), (CloseCode::new(4321), true));
    assert_eq!(site.heard.lock().unwrap().len(), 100);

    site.stop(Duration::ZERO).await;
    let mut link = site.link().open();
    assert!(matches!(next(&mut link).await, Event::Disconnected(_)));
    link.sender().try_send("in vain").unwrap();
    let before = Instant::now();
    let ending = link.close(1000, "").await.unwrap().unwrap();
    assert_eq!(ending.unsent_messages, 1);
    assert!(before.elapsed() < Duration::from_millis(1), "it waited");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_link_closes_with_1001() {
    let recorder = Recorder::default();
    let app = App::builder()
        .observer(recorder.clone())
        .route(Route::new("/echo", echo))
        .build()
        .unwrap();
    let host = TestHost::new(app);
    let mut link = link_to(&host, "/echo").open();
    connected(&mut link, false).await;
    drop(link);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(recorder.outcomes().remove(0).code, CloseCode::GOING_AWAY);
    assert_eq!(host.app().handle().connections(), 0);
}

/// A day of a server that goes and comes back at random: what was accepted is heard once and in
/// order, or counted.
#[tokio::test(start_paused = true)]
async fn a_day_of_flapping_loses_nothing_in_silence() {
    let site = Site::default();
    let mut link = site.link().open();
    let sender = link.sender();
    let until = Instant::now() + Duration::from_secs(24 * 60 * 60);
    let writer = tokio::spawn(async move {
        let mut random = fastrand::Rng::with_seed(8);
        let mut sent = 0;
        while Instant::now() < until {
            for _ in 0..random.u32(0..20) {
                sender.send(sent.to_string()).await.unwrap();
                sent += 1;
            }
            sleep(Duration::from_millis(random.u64(0..20_000))).await;
        }
        sent
    });
    let flapping = site.clone();
    let flapper = tokio::spawn(async move {
        let mut random = fastrand::Rng::with_seed(9);
        while Instant::now() < until {
            flapping.start();
            sleep(Duration::from_millis(random.u64(0..60_000))).await;
            // In an orderly way, or as a machine goes.
            let within = Duration::from_millis(random.u64(0..2) * 500);
            flapping.stop(within).await;
            sleep(Duration::from_millis(random.u64(0..30_000))).await;
        }
        flapping.start();
    });
    let (mut connections, mut unconfirmed) = (0, 0);
    let mut count = |event| match event {
        Event::Connected { .. } => connections += 1,
        Event::Disconnected(ending) => unconfirmed += ending.unconfirmed_messages,
        _ => {}
    };
    while !flapper.is_finished() || !writer.is_finished() {
        // Their own end is no event of the link's.
        if let Ok(event) = timeout(Duration::from_secs(1), link.next()).await {
            count(event.expect("the link ended"));
        }
    }
    let sent: u32 = writer.await.unwrap();
    // What still waits leaves with the last connection.
    while !link.sender().is_connected() {
        count(next(&mut link).await);
    }
    let ending = link.close(1000, "good night").await.unwrap().unwrap();
    assert_eq!(ending.unsent_messages, 0);

    let heard = site.heard.lock().unwrap();
    assert!(heard.is_sorted_by(|a, b| a < b), "twice, or out of order");
    let lost = u64::from(sent) - heard.len() as u64;
    assert!(
        connections > 500 && sent > 10_000,
        "{connections} connections, {sent} sent"
    );
    assert!(lost <= unconfirmed, "{lost} lost, {unconfirmed} counted");
    // Counting everything as lost would be no news.
    assert!(
        unconfirmed < u64::from(sent) / 20,
        "{unconfirmed} of {sent}"
    );
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_connections_leave_nothing() {
    let host = host();
    let client = client(&host);
    for _ in 0..10_000 {
        drop(client.connect("ws://test/echo").await.unwrap());
    }
    sleep(Duration::from_secs(10)).await;
    assert_eq!(host.app().handle().connections(), 0);
    assert_eq!(
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks(),
        0
    );
}
