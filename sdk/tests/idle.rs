//! An idle session runs for its heartbeat and for nothing else.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod echo_site;

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;
use echo_site::{echo, request};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::sleep,
};
use wharf_sdk::{
    App, Configure, Route,
    driver::{Connection, Decision, encode_client_frame},
};

const INTERVAL: Duration = Duration::from_secs(25);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Counts how often a future is polled.
struct Counted<F> {
    inner: Pin<Box<F>>,
    polls: Arc<AtomicU64>,
}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.inner.as_mut().poll(cx)
    }
}

/// Starts a session in a task; returns its polls and the client's end.
async fn start(route: Route) -> (Arc<AtomicU64>, DuplexStream) {
    let app = App::builder().route(route).build().unwrap();
    let Decision::Upgrade(upgrade) = app.decide(request(), "memory").await else {
        panic!("not upgraded");
    };
    let (server, client) = tokio::io::duplex(1024);
    let polls = Arc::new(AtomicU64::new(0));
    tokio::spawn(Counted {
        inner: Box::pin(upgrade.connect(Connection::new(server))),
        polls: Arc::clone(&polls),
    });
    (polls, client)
}

/// Echoes one message, so that everything a busy session sets up is set up.
async fn echo_once(client: &mut DuplexStream) {
    let mut frame = BytesMut::new();
    encode_client_frame(&mut frame, 0x81, [1, 2, 3, 4], b"hello");
    client.write_all(&frame).await.unwrap();
    let mut echo = [0; 7];
    client.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo[2..], b"hello");
}

#[tokio::test(start_paused = true)]
async fn a_session_without_a_heartbeat_never_runs() {
    let (polls, mut client) = start(Route::new("/echo", echo).no_heartbeat()).await;
    echo_once(&mut client).await;
    sleep(Duration::from_secs(1)).await;
    let before = polls.load(Ordering::Relaxed);
    sleep(DAY).await;
    assert_eq!(polls.load(Ordering::Relaxed) - before, 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_runs_three_times_a_heartbeat() {
    let route = Route::new("/echo", echo).heartbeat(INTERVAL, Duration::from_secs(20));
    let (polls, mut client) = start(route).await;
    echo_once(&mut client).await;
    let before = polls.load(Ordering::Relaxed);
    let mut beats = 0;
    let answering = async {
        let mut ping = [0; 10];
        loop {
            client.read_exact(&mut ping).await.unwrap();
            assert_eq!(ping[..2], [0x89, 8]);
            let mut pong = BytesMut::new();
            encode_client_frame(&mut pong, 0x8A, [1, 2, 3, 4], &ping[2..]);
            client.write_all(&pong).await.unwrap();
            beats += 1;
        }
    };
    let _ = tokio::time::timeout(DAY, answering).await;
    let polls = polls.load(Ordering::Relaxed) - before;
    // Each silence begins with the pong, a moment after the ping.
    assert!(beats + 1 >= DAY.as_secs() / INTERVAL.as_secs(), "{beats}");
    // The ping is due, the pong has come, and the alarm for a late pong goes off for nothing.
    assert!(polls <= 3 * beats, "{polls} polls for {beats} heartbeats");
}
