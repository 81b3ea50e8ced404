//! Scripted faults of the test client, under paused time.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;
use tokio::time::{Instant, sleep};
use wharf_sdk::{
    App, CloseCode, Configure, Message, Result, Route, Sender, Socket, State,
    testing::{Recorder, TestHost, TestSocket},
};

const CHUNK_BYTES: usize = 16 * 1024;

/// Writes as much as it may, and counts.
fn flood(written: &Arc<AtomicUsize>) -> Route {
    let written = Arc::clone(written);
    Route::new("/flood", move |mut socket: Socket| {
        let written = Arc::clone(&written);
        async move {
            loop {
                let number = written.load(Ordering::Relaxed);
                socket.write(vec![number as u8; CHUNK_BYTES]).await?;
                written.fetch_add(1, Ordering::Relaxed);
            }
            #[allow(unreachable_code, reason = "says what the handler returns")]
            Result::<()>::Ok(())
        }
    })
    .queue_bytes(8 * CHUNK_BYTES)
    .max_outbound_message_bytes(CHUNK_BYTES)
}

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

async fn connect(route: Route, path: &str) -> (TestSocket, Recorder) {
    let recorder = Recorder::default();
    let app = App::builder().observer(recorder.clone()).route(route);
    let host = TestHost::new(app.build().unwrap());
    (host.connect(path).await, recorder)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_reading_holds_the_server_up_and_resumes_without_loss() {
    let written = Arc::new(AtomicUsize::new(0));
    let (mut client, recorder) = connect(flood(&written), "/flood").await;
    client.stop_reading();
    sleep(Duration::from_secs(5)).await;
    let stuck = written.load(Ordering::Relaxed);
    sleep(Duration::from_secs(4)).await;
    assert_eq!(written.load(Ordering::Relaxed), stuck, "nothing has room");
    client.resume().await;
    for number in 0..2 * stuck {
        client.expect_binary(&[number as u8; CHUNK_BYTES]).await;
    }
    assert!(recorder.outcomes().is_empty(), "the session lives");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_reading_still_sends() {
    let (mut client, _) = connect(Route::new("/echo", echo), "/echo").await;
    client.stop_reading();
    client.send_text("now").await;
    sleep(Duration::from_secs(1)).await;
    client.resume().await;
    client.expect_text("now").await;
}

#[tokio::test(start_paused = true)]
async fn a_stalled_client_sends_nothing_until_it_resumes() {
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&heard);
    let route = Route::new("/count", move |mut socket: Socket| {
        let counter = Arc::clone(&counter);
        async move {
            while socket.read().await?.is_some() {
                counter.fetch_add(1, Ordering::Relaxed);
            }
            Result::<()>::Ok(())
        }
    });
    let (mut client, _) = connect(route, "/count").await;
    client.stall();
    client.send_text("held back").await;
    sleep(Duration::from_secs(20)).await;
    assert_eq!(heard.load(Ordering::Relaxed), 0);
    client.resume().await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(heard.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_client_is_dropped_by_the_heartbeat() {
    let (mut client, recorder) = connect(Route::new("/echo", echo), "/echo").await;
    client.stall();
    sleep(Duration::from_secs(44)).await;
    assert!(recorder.outcomes().is_empty(), "25 s and 20 s are not over");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(recorder.outcomes()[0].code, CloseCode::ABNORMAL);
    client.resume().await;
    client.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_takes_so_many_bytes_in_each_interval() {
    let route = Route::new("/greet", async |mut socket: Socket| {
        socket.write("x".repeat(98)).await?; // 100 bytes with its head
        socket.read().await.map(drop)
    });
    let (mut client, _) = connect(route, "/greet").await;
    client.read_slowly(10, Duration::from_secs(1));
    let begin = Instant::now();
    client.expect_text(&"x".repeat(98)).await;
    assert_eq!(begin.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_may_take_longer_than_an_expectation_waits_for_a_silent_one() {
    let route = Route::new("/greet", async |mut socket: Socket| {
        socket.write("x".repeat(998)).await?;
        socket.read().await.map(drop)
    })
    .no_heartbeat();
    let (mut client, _) = connect(route, "/greet").await;
    client.read_slowly(1, Duration::from_secs(1));
    client.expect_text(&"x".repeat(998)).await;
}

#[tokio::test]
async fn a_connected_clients_handler_has_had_its_first_turn() {
    type Room = Arc<Mutex<Vec<Sender>>>;
    async fn chat(State(room): State<Room>, mut socket: Socket) -> Result<()> {
        room.lock().unwrap().push(socket.sender());
        while let Some(line) = socket.read().await? {
            for member in &*room.lock().unwrap() {
                member.try_send(line.clone())?;
            }
        }
        Ok(())
    }
    let app = App::builder()
        .state(Room::default())
        .route(Route::new("/chat", chat));
    let host = TestHost::new(app.build().unwrap());
    let mut alice = host.connect("/chat").await;
    let mut bob = host.connect("/chat").await;
    alice.send_text("hi").await;
    bob.expect_text("hi").await;
}

#[tokio::test(start_paused = true)]
async fn an_expectation_of_a_client_that_does_not_read_says_so() {
    let (mut client, _) = connect(Route::new("/echo", echo), "/echo").await;
    client.stop_reading();
    let panic = std::panic::AssertUnwindSafe(client.expect_text("x"))
        .catch_unwind()
        .await
        .unwrap_err();
    let message = panic.downcast_ref::<&str>().unwrap();
    assert!(message.contains("call resume() first"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn an_expectation_gives_up_although_the_heartbeat_goes_on() {
    let (mut client, _) = connect(Route::new("/echo", echo), "/echo").await;
    let panic = std::panic::AssertUnwindSafe(client.expect_text("x"))
        .catch_unwind()
        .await
        .unwrap_err();
    assert_eq!(
        panic.downcast_ref::<String>().unwrap(),
        "expected the text \"x\", but got nothing for 60s"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_expectation_shows_what_came_instead() {
    let answers = [
        (
            "text",
            "expected 2 bytes of binary, b\"hi\", but got the text \"text\"",
        ),
        (
            "bytes",
            "expected 2 bytes of binary, b\"hi\", but got 3 bytes of binary, b\"\\x01\\x02\\x03\"",
        ),
        (
            "close",
            "expected 2 bytes of binary, b\"hi\", but got a close with 4001 (why)",
        ),
        (
            "vanish",
            "expected 2 bytes of binary, b\"hi\", but got the end of the connection",
        ),
    ];
    for (what, expected) in answers {
        let route = Route::new("/", async |mut socket: Socket| {
            match socket.read().await?.as_ref().and_then(Message::as_text) {
                Some("text") => socket.write("text").await?,
                Some("bytes") => socket.write(vec![1, 2, 3]).await?,
                Some("close") => socket.close(4001, "why").await?,
                _ => std::future::pending().await,
            }
            Result::<()>::Ok(())
        });
        let (mut client, _) = connect(route, "/").await;
        client.send_text(what).await;
        if what == "vanish" {
            client.vanish();
        }
        let panic = std::panic::AssertUnwindSafe(client.expect_binary(b"hi"))
            .catch_unwind()
            .await
            .unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().unwrap(), expected);
    }
}
