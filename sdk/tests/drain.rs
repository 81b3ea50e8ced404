//! What a handler can do when the server shuts down.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use wharf_sdk::{
    App, Channel, Error, Events, Handler, Result, Route, ShutdownReport,
    channel::{ChannelPeer, Data, Held},
    testing::{Event, Recorder, TestHost, TestSocket},
};

const SECOND: Duration = Duration::from_secs(1);

async fn open<Args: 'static>(handler: impl Handler<Args>) -> (TestSocket, App, Recorder) {
    let recorder = Recorder::default();
    let app = App::builder()
        .observer(recorder.clone())
        .route(Route::new("/", handler))
        .build()
        .unwrap();
    let client = TestHost::new(app.clone()).connect("/").await;
    (client, app, recorder)
}

fn shut_down(app: &App) -> JoinHandle<ShutdownReport> {
    let handle = app.handle();
    tokio::spawn(async move { handle.shutdown(30 * SECOND).await })
}

/// The codes of what observers were told.
fn failures(recorder: &Recorder) -> Vec<String> {
    let code = |event| match event {
        Event::Failed(_, code) => Some(code),
        _ => None,
    };
    recorder.events().into_iter().filter_map(code).collect()
}

async fn goodbye(peer: ChannelPeer) -> Result<()> {
    sleep(SECOND).await;
    peer.emit("goodbye", &"come back in 5 s").await
}

async fn work(Data(seconds): Data<u32>) -> Result<u32> {
    sleep(seconds * SECOND).await;
    Ok(seconds)
}

#[tokio::test(start_paused = true)]
async fn a_channel_says_goodbye_in_its_own_time() {
    let (mut client, app, recorder) = open(Channel::new().on_drain(goodbye)).await;
    let shutdown = shut_down(&app);
    assert_eq!(client.expect_event("goodbye").await, "come back in 5 s");
    client.expect_close(1001).await;
    let report = shutdown.await.unwrap();
    assert_eq!((report.sessions, report.closed, report.aborted), (1, 1, 0));
    assert!(failures(&recorder).is_empty());
}

#[tokio::test(start_paused = true)]
async fn goodbye_is_said_beside_events_and_both_are_waited_for() {
    let channel = Channel::new().on("work", work).on_drain(goodbye);
    let (mut client, app, _) = open(channel).await;
    for (id, seconds) in [(1, 5), (2, 1)] {
        let event = json!({ "event": "work", "data": seconds, "id": id });
        client.send_json(&event).await;
    }
    sleep(SECOND / 2).await;
    let shutdown = shut_down(&app);
    sleep(SECOND / 2).await;
    client
        .send_json(&json!({ "event": "work", "data": 0, "id": 3 }))
        .await;
    assert_eq!(client.expect_event("goodbye").await, "come back in 5 s");
    client.expect_text(r#"{"reply":1,"data":5}"#).await;
    // The second came before the shutdown, the third after it.
    client.expect_text(r#"{"reply":2,"data":1}"#).await;
    client.expect_close(1001).await;
    assert_eq!(shutdown.await.unwrap().closed, 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_runs_is_replied_to_without_a_goodbye_too() {
    let (mut client, app, _) = open(Channel::new().on("work", work)).await;
    client
        .send_json(&json!({ "event": "work", "data": 3, "id": 1 }))
        .await;
    sleep(SECOND).await;
    let shutdown = shut_down(&app);
    client.expect_text(r#"{"reply":1,"data":3}"#).await;
    client.expect_close(1001).await;
    assert_eq!(shutdown.await.unwrap().closed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_that_fails_or_panics_is_told_to_observers_alone() {
    let fail = async || Err::<(), _>(Error::handler("no"));
    let panic = async || -> Result<()> { panic!("no") };
    for (channel, code) in [
        (Channel::new().on_drain(fail), "WHARF_HANDLER"),
        (Channel::new().on_drain(panic), "WHARF_PANIC"),
    ] {
        let (mut client, app, recorder) = open(channel).await;
        let shutdown = shut_down(&app);
        client.expect_close(1001).await;
        assert_eq!(shutdown.await.unwrap().closed, 1);
        assert_eq!(failures(&recorder), [code]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_without_end_is_cut_short_before_the_deadline() {
    let channel = Channel::new().on_drain(async || -> Result<()> { pending().await });
    let (mut client, app, _) = open(channel).await;
    let begun = Instant::now();
    let shutdown = shut_down(&app);
    client.expect_close(1001).await;
    let took = begun.elapsed();
    assert!((25 * SECOND..30 * SECOND).contains(&took), "{took:?}");
    assert_eq!(shutdown.await.unwrap().closed, 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_says_goodbye_to_a_peer_that_has_left() {
    let said = Arc::new(Mutex::new(0_u32));
    let channel = Channel::new()
        .on_open({
            let said = Arc::clone(&said);
            move || {
                let said = Arc::clone(&said);
                async { Ok::<_, Error>(said) }
            }
        })
        .on_drain(async |said: Held<Arc<Mutex<u32>>>| {
            *said.lock().unwrap() += 1;
            Ok::<_, Error>(())
        });
    let (mut left, app, _) = open(channel).await;
    let mut stays = TestHost::new(app.clone()).connect("/").await;
    left.close(1000, "").await;
    let shutdown = shut_down(&app);
    stays.expect_close(1001).await;
    shutdown.await.unwrap();
    assert_eq!(*said.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn events_say_goodbye_before_they_close() {
    let codes = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&codes);
    let events = Events::new()
        .on_message(|peer, message| async move {
            sleep(SECOND).await;
            peer.send(message).await
        })
        .on_drain(|peer, ()| async move {
            sleep(SECOND).await;
            peer.send("goodbye").await
        })
        .on_close(move |_, outcome| {
            told.lock().unwrap().push(outcome.code.as_u16());
            async {}
        });
    let (mut client, app, recorder) = open(events).await;
    let mut idle = TestHost::new(app.clone()).connect("/").await;
    client.send_text("before").await;
    sleep(SECOND / 2).await;
    let shutdown = shut_down(&app);
    client.expect_text("before").await;
    for client in [&mut client, &mut idle] {
        client.expect_text("goodbye").await;
        client.expect_close(1001).await;
    }
    assert_eq!(shutdown.await.unwrap().closed, 2);
    assert_eq!(*codes.lock().unwrap(), [1001, 1001]);
    assert!(failures(&recorder).is_empty());
}
