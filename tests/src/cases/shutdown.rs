//! The server ends, or ends somebody.

use std::time::Duration;

use futures::future::join_all;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use wharf_sdk::{
    Channel, CloseFrame, Configure, ConnectionId, Error, Principal, Result, Route, ShutdownOptions,
    Socket, State,
    channel::ChannelPeer,
    middleware::{bearer, from_fn},
};

use crate::{
    Client, Host, Notes, Request, Site,
    client::{Frame, PATIENCE},
    fixture::echo,
};

/// A shutdown closes every session with 1001, waits for them, and counts.
pub async fn closes_everyone(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let clients = open_many(&site, 10).await;
    let handle = site.app.handle();
    assert_eq!(handle.connections(), 10);
    let shutdown = tokio::spawn(async move { handle.shutdown(PATIENCE).await });
    join_all(
        clients
            .into_iter()
            .map(|mut client| async move { client.expect_close(1001).await }),
    )
    .await;
    let report = shutdown.await.expect("a report");
    assert_eq!(
        (report.sessions, report.closed, report.aborted),
        (10, 10, 0)
    );
    for event in site.events.wait_for("closed", 10).await {
        event.expect_outcome(1001, true, "server");
    }
    assert!(
        site.events.of("failed").is_empty(),
        "a shutdown is no failure"
    );
}

/// While it shuts down, upgrades are refused with 503 and `Retry-After`.
pub async fn refuses_upgrades(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/echo").await;
    site.events.wait_for("upgraded", 1).await;
    let handle = site.app.handle();
    let shutdown = tokio::spawn(async move { handle.shutdown(PATIENCE).await });
    client.expect_close_frame(1001).await;
    let refused = site.request(Request::upgrade("/echo")).await;
    let refused = refused.expect_problem(503, "WHARF_SHUTTING_DOWN");
    let seconds = refused.header("retry-after").expect("Retry-After");
    seconds.parse::<u64>().expect("seconds");
    site.request(Request::plain("GET", "/fallback"))
        .await
        .expect(503);
    client.send(Frame::close(1001, "")).await;
    client.expect_end().await;
    shutdown.await.expect("a report");
}

/// A session whose handshake was under way when the shutdown began is closed and counted too.
pub async fn counts_late_handshakes(host: &dyn Host) {
    let (began, mut beginning) = mpsc::unbounded_channel();
    let slow = from_fn(move |context, next| {
        let _ = began.send(());
        async move {
            sleep(Duration::from_millis(300)).await;
            Ok(next.run(context).await)
        }
    });
    let route = Route::new("/slow", echo).middleware(slow);
    let site = Site::of(host, |app| app.route(route)).await;
    let handle = site.app.handle();
    let opening = site.open("/slow");
    let shutdown = async {
        beginning.recv().await.expect("a handshake");
        handle.shutdown(PATIENCE).await
    };
    let closing = async {
        opening.await.expect_close(1001).await;
    };
    let (report, ()) = tokio::join!(shutdown, closing);
    assert_eq!((report.sessions, report.closed, report.aborted), (1, 1, 0));
}

/// A peer that does not answer is aborted at the deadline, and counted as such.
pub async fn aborts_at_the_deadline(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut polite = site.open("/echo").await;
    let mut silent = site.open("/echo").await;
    site.events.wait_for("upgraded", 2).await;
    let handle = site.app.handle();
    let started = Instant::now();
    let deadline = Duration::from_millis(1500);
    let shutdown = tokio::spawn(async move { handle.shutdown(deadline).await });
    polite.expect_close(1001).await;
    let report = shutdown.await.expect("a report");
    let took = started.elapsed();
    assert!(
        took >= deadline - Duration::from_millis(50),
        "over after {took:?}"
    );
    assert!(
        took < Duration::from_millis(4500),
        "over after {took:?}, before the close timeout"
    );
    assert_eq!((report.sessions, report.closed, report.aborted), (2, 1, 1));
    let closed = site.events.wait_for("closed", 2).await;
    assert!(
        closed.iter().any(|event| event.clean == Some(false)),
        "in {closed:?}"
    );
    silent.expect_close_frame(1001).await;
    silent.expect_end().await;
}

/// A handler that goes on for ever is dropped at the deadline, and what it held with it.
pub async fn drops_busy_handlers(host: &dyn Host) {
    struct Held(Notes);
    impl Drop for Held {
        fn drop(&mut self) {
            self.0.add("released");
        }
    }
    let (notes, mut noted) = Notes::new();
    let busy = async |State(notes): State<Notes>, socket: Socket| {
        let _held = Held(notes.clone());
        notes.add("busy");
        sleep(PATIENCE * 2).await;
        drop(socket);
    };
    let site = Site::of(host, |app| {
        app.state(notes).route(Route::new("/busy", busy))
    })
    .await;
    let mut client = site.open("/busy").await;
    noted.expect("busy").await;
    let handle = site.app.handle();
    let started = Instant::now();
    let deadline = Duration::from_millis(500);
    let shutdown = tokio::spawn(async move { handle.shutdown(deadline).await });
    client.expect_close(1001).await;
    let report = shutdown.await.expect("a report");
    assert_eq!(report.sessions, 1);
    noted.expect("released").await;
    let took = started.elapsed();
    assert!(
        took < Duration::from_secs(20),
        "the handler was waited for: {took:?}"
    );
    site.expect_no_connections().await;
}

/// Handlers see `closing()`, and may say a last word before the close frame.
pub async fn handlers_see_closing(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let parting = async |State(notes): State<Notes>, mut socket: Socket| -> Result<()> {
        notes.add("ready");
        socket.closing().await;
        notes.add("closing");
        socket.write("so long").await?;
        socket.closed().await;
        notes.add("closed");
        Ok(())
    };
    let site = Site::of(host, |app| {
        app.state(notes).route(Route::new("/parting", parting))
    })
    .await;
    let mut client = site.open("/parting").await;
    noted.expect("ready").await;
    let handle = site.app.handle();
    let shutdown = tokio::spawn(async move { handle.shutdown(PATIENCE).await });
    noted.expect("closing").await;
    client.expect_text("so long").await;
    client.expect_close(1001).await;
    noted.expect("closed").await;
    shutdown.await.expect("a report");
}

/// The closes are spread over time, so that the clients do not come back as one herd.
pub async fn in_batches(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let clients = open_many(&site, 40).await;
    let handle = site.app.handle();
    let options = ShutdownOptions::within(PATIENCE).spread_over(Duration::from_secs(3));
    let shutdown = tokio::spawn(async move { handle.shutdown(options).await });
    let (sender, mut arrivals) = mpsc::unbounded_channel();
    join_all(clients.into_iter().map(|mut client| {
        let sender = sender.clone();
        async move {
            client.expect_close_frame(1001).await;
            sender.send(Instant::now()).expect("a receiver");
            client.send(Frame::close(1001, "")).await;
            client.expect_end().await;
        }
    }))
    .await;
    drop(sender);
    let mut times = Vec::new();
    while let Some(time) = arrivals.recv().await {
        times.push(time);
    }
    let (first, last) = (
        times.iter().min().expect("times"),
        times.iter().max().expect("times"),
    );
    assert!(
        *last - *first > Duration::from_secs(1),
        "all within {:?}",
        *last - *first
    );
    assert_eq!(shutdown.await.expect("a report").closed, 40);
}

/// Another close frame may be asked for, such as 1012 with a hint when to come back.
pub async fn with_another_frame(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/echo").await;
    site.events.wait_for("upgraded", 1).await;
    let frame = CloseFrame::new(1012, "back in 5 s").expect("sendable");
    let options = ShutdownOptions::within(PATIENCE).with_frame(frame);
    let handle = site.app.handle();
    let shutdown = tokio::spawn(async move { handle.shutdown(options).await });
    assert_eq!(client.expect_close(1012).await, "back in 5 s");
    shutdown.await.expect("a report");
}

/// A shutdown without sessions is over at once.
pub async fn of_nobody(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let started = Instant::now();
    let report = site.app.handle().shutdown(PATIENCE).await;
    assert_eq!((report.sessions, report.closed, report.aborted), (0, 0, 0));
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "it took {:?}",
        started.elapsed()
    );
}

/// One connection can be closed by its id, and all of a principal's by its name.
pub async fn disconnect(host: &dyn Host) {
    type Ids = mpsc::UnboundedSender<ConnectionId>;
    let (ids, mut connected) = mpsc::unbounded_channel();
    let member = async |State(ids): State<Ids>, mut socket: Socket| -> Result<()> {
        ids.send(socket.id()).map_err(Error::handler)?;
        crate::fixture::echo_on(&mut socket).await
    };
    let verify = async |token: String| Ok(Some(Principal::new(token)));
    let site = Site::of(host, |app| {
        let route = Route::new("/member", member)
            .middleware(bearer(verify))
            .require_auth();
        app.state(ids).route(route)
    })
    .await;
    let request =
        |name: &str| Request::upgrade("/member").with("Authorization", format!("Bearer {name}"));
    let mut bob = site.open_with(request("bob")).await;
    let bob_id = connected.recv().await.expect("an id");
    let mut alice = [
        site.open_with(request("alice")).await,
        site.open_with(request("alice")).await,
    ];
    site.events.wait_for("upgraded", 3).await;

    let handle = site.app.handle();
    assert!(handle.disconnect(bob_id, 4002, "by id").expect("sendable"));
    assert_eq!(bob.expect_close(4002).await, "by id");
    for client in &mut alice {
        client.expect_echo("still here").await;
    }
    site.expect_connections(2).await;
    assert!(
        !handle.disconnect(bob_id, 4002, "").expect("sendable"),
        "it is gone already"
    );

    let mut bob = site.open_with(request("bob")).await;
    let refused = handle
        .disconnect_principal("bob", 1005, "")
        .expect_err("may not be sent");
    assert_eq!(refused.code(), "WHARF_CLOSE_CODE");
    let count = handle.disconnect_principal("alice", 4001, "signed out");
    assert_eq!(count.expect("sendable"), 2);
    for client in &mut alice {
        assert_eq!(client.expect_close(4001).await, "signed out");
    }
    bob.expect_echo("still here").await;
}

/// The default deadline for the close handshake does not hold a shutdown up.
pub async fn mixed_company(host: &dyn Host) {
    let site = Site::of(host, |app| {
        let silent = async |socket: Socket| socket.closed().await;
        app.close_timeout(Duration::from_secs(3))
            .route(Route::new("/echo", echo))
            .route(Route::new("/silent", silent))
    })
    .await;
    let mut reads = site.open("/echo").await;
    let mut waits = site.open("/silent").await;
    let mut unanswering = site.open("/echo").await;
    site.events.wait_for("upgraded", 3).await;
    let handle = site.app.handle();
    let shutdown = tokio::spawn(async move { handle.shutdown(PATIENCE).await });
    reads.expect_close(1001).await;
    waits.expect_close(1001).await;
    unanswering.expect_close_frame(1001).await;
    unanswering.expect_end().await;
    let report = shutdown.await.expect("a report");
    assert_eq!(
        (report.sessions, report.closed, report.aborted),
        (3, 2, 1),
        "one did not answer"
    );
}

/// A handler that is at work on a message finishes it, and what it writes leaves; one that waits
/// for a message is closed meanwhile.
pub async fn finishes_the_message(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let works = async |State(notes): State<Notes>, mut socket: Socket| -> Result<()> {
        while let Some(message) = socket.read().await? {
            notes.add("at work");
            let closing = socket.sender();
            tokio::select! {
                () = closing.closing() => notes.add("told"),
                () = sleep(PATIENCE) => notes.add("never told"),
            }
            sleep(Duration::from_millis(700)).await;
            socket.write(message).await?;
        }
        notes.add("over");
        Ok(())
    };
    let site = Site::of(host, |app| {
        app.state(notes)
            .route(Route::new("/works", works))
            .route(Route::new("/echo", echo))
    })
    .await;
    let mut works = site.open("/works").await;
    let mut waits = site.open("/echo").await;
    waits.expect_echo("before").await;
    works.send_text("bid").await;
    noted.expect("at work").await;
    let handle = site.app.handle();
    let shutdown = tokio::spawn(async move { handle.shutdown(PATIENCE).await });
    noted.expect("told").await;
    works.send_text("too late").await;
    waits.expect_close(1001).await;
    works.expect_text("bid").await;
    works.expect_close(1001).await;
    noted.expect("over").await;
    let report = shutdown.await.expect("a report");
    assert_eq!((report.sessions, report.closed, report.aborted), (2, 2, 0));
    site.events.wait_for("closed", 2).await;
    assert!(site.events.of("failed").is_empty());
}

/// A handler that does not finish its message is closed shortly before the deadline, with the
/// same code.
pub async fn closes_busy_sessions_in_the_end(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let busy = async |State(notes): State<Notes>, mut socket: Socket| {
        let _ = socket.read().await;
        notes.add("at work");
        sleep(2 * PATIENCE).await;
    };
    let site = Site::of(host, |app| {
        app.state(notes).route(Route::new("/busy", busy))
    })
    .await;
    let mut client = site.open("/busy").await;
    client.send_text("work").await;
    noted.expect("at work").await;
    let handle = site.app.handle();
    let started = Instant::now();
    // It is closed an eighth of this before the end, which is what its peer has to answer.
    let deadline = Duration::from_secs(8);
    let shutdown = tokio::spawn(async move { handle.shutdown(deadline).await });
    client.expect_close(1001).await;
    assert!(started.elapsed() > deadline / 2, "it had time");
    let report = shutdown.await.expect("a report");
    assert_eq!((report.sessions, report.closed, report.aborted), (1, 1, 0));
}

/// A notice goes before the close frame, to those that are at work too.
pub async fn notice(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/echo").await;
    client.expect_echo("before").await;
    let options = ShutdownOptions::within(PATIENCE).notice("back in 5 s");
    let handle = site.app.handle();
    let shutdown = tokio::spawn(async move { handle.shutdown(options).await });
    client.expect_text("back in 5 s").await;
    client.expect_close(1001).await;
    assert_eq!(shutdown.await.expect("a report").closed, 1);
}

/// An event that runs is replied to, and `on_drain` says goodbye in its own time; events that come
/// meanwhile are not taken.
pub async fn says_goodbye(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let work = async |State(notes): State<Notes>| -> Result<&'static str> {
        notes.add("at work");
        sleep(Duration::from_secs(2)).await;
        Ok("done")
    };
    let goodbye = async |peer: ChannelPeer| -> Result<()> {
        sleep(Duration::from_millis(100)).await;
        peer.emit("goodbye", &()).await
    };
    let site = Site::of(host, |app| {
        let channel = || Channel::new().on("work", work);
        app.state(notes)
            .route(Route::new("/channel", channel().on_drain(goodbye)))
            .route(Route::new("/terse", channel()))
    })
    .await;
    let mut client = site.open("/channel").await;
    let mut terse = site.open("/terse").await;
    for client in [&mut client, &mut terse] {
        client.send_text(r#"{"event":"work","id":1}"#).await;
        noted.expect("at work").await;
    }
    let handle = site.app.handle();
    let shutdown = tokio::spawn(async move { handle.shutdown(PATIENCE).await });
    client
        .expect_text(r#"{"event":"goodbye","data":null}"#)
        .await;
    client.send_text(r#"{"event":"work","id":2}"#).await;
    for client in [&mut client, &mut terse] {
        client.expect_text(r#"{"reply":1,"data":"done"}"#).await;
        client.expect_close(1001).await;
    }
    let report = shutdown.await.expect("a report");
    assert_eq!((report.sessions, report.closed, report.aborted), (2, 2, 0));
    site.events.wait_for("closed", 2).await;
    assert!(site.events.of("failed").is_empty());
}

/// The report counts what happened, and two shutdowns at once report the same.
pub async fn reports_what_happened(host: &dyn Host) {
    let site = Site::of(host, |app| {
        app.close_timeout(Duration::from_secs(3))
            .route(Route::new("/echo", echo))
    })
    .await;
    let mut polite = site.open("/echo").await;
    let silent = [site.open("/echo").await, site.open("/echo").await];
    site.events.wait_for("upgraded", 3).await;
    let handle = site.app.handle();
    let other = site.app.handle();
    let first = tokio::spawn(async move { handle.shutdown(PATIENCE).await });
    polite.expect_close(1001).await;
    let second = other.shutdown(PATIENCE).await;
    let first = first.await.expect("a report");
    assert_eq!((first.sessions, first.closed, first.aborted), (3, 1, 2));
    assert_eq!(first, second);
    drop(silent);
}

/// The app's handle lists its sessions, finds one, writes to it and drops it.
pub async fn sessions_by_name(host: &dyn Host) {
    let verify = async |token: String| Ok(Some(Principal::new(token)));
    let site = Site::of(host, |app| {
        let route = Route::new("/member", echo)
            .middleware(bearer(verify))
            .require_auth();
        app.route(route).route(Route::new("/echo", echo))
    })
    .await;
    let request =
        |name: &str| Request::upgrade("/member").with("Authorization", format!("Bearer {name}"));
    let mut anybody = site.open("/echo").await;
    let mut alice = site.open_with(request("alice")).await;
    let mut again = site.open_with(request("alice")).await;
    site.events.wait_for("upgraded", 3).await;
    let handle = site.app.handle();
    let mut routes: Vec<_> = handle
        .sessions()
        .iter()
        .map(|session| session.info().pattern().to_string())
        .collect();
    routes.sort();
    assert_eq!(routes.len(), 3);
    let sessions = handle.sessions_of("alice");
    assert_eq!(sessions.len(), 2);
    assert!(sessions[0].id() < sessions[1].id(), "the oldest is first");
    let first = handle.session(sessions[0].id()).expect("it is live");
    first.send("hello").await.expect("open");
    alice.expect_text("hello").await;
    first.terminate();
    alice.expect_end().await;
    site.expect_connections(2).await;
    assert!(handle.session(first.id()).is_none());
    assert_eq!(handle.sessions_of("alice").len(), 1);
    again.expect_echo("still here").await;
    anybody.expect_echo("still here").await;
}

async fn open_many(site: &Site, count: usize) -> Vec<Client> {
    let clients = join_all((0..count).map(|_| site.open("/echo"))).await;
    // A session is known once its handler runs.
    site.events.wait_for("upgraded", count).await;
    clients
}
