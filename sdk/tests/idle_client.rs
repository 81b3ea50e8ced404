//! A client that the test leaves alone.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::time::Duration;

use tokio::time::sleep;
use wharf_sdk::{
    App, Result, Route, Socket,
    testing::{Recorder, TestHost},
};

const MINUTE: Duration = Duration::from_secs(60);

async fn echo(mut socket: Socket) -> Result<()> {
    socket.write("welcome").await?;
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

fn host(recorder: &Recorder) -> TestHost {
    let app = App::builder()
        .observer(recorder.clone())
        .route(Route::new("/", echo));
    TestHost::new(app.build().unwrap())
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_while_nobody_reads() {
    let recorder = Recorder::default();
    let host = host(&recorder);
    let mut client = host.connect("/").await;
    // The heartbeat asks every 25 seconds, behind what is unread.
    sleep(MINUTE).await;
    client.expect_text("welcome").await;
    client.send_text("after a minute").await;
    client.expect_text("after a minute").await;
    sleep(60 * MINUTE).await;
    client.send_text("after an hour").await;
    client.expect_text("after an hour").await;
    assert!(recorder.outcomes().is_empty());
    client.close(1000, "").await;
}

#[tokio::test(start_paused = true)]
async fn who_stalls_or_answers_no_pings_is_ended() {
    let recorder = Recorder::default();
    let host = host(&recorder);
    let mut stalled = host.connect("/").await;
    stalled.stall();
    let mut silent = host.connect("/").without_pongs().await;
    sleep(MINUTE).await;
    let codes: Vec<_> = recorder
        .outcomes()
        .iter()
        .map(|end| end.code.as_u16())
        .collect();
    assert_eq!(codes, [1006, 1006]);
    stalled.resume().await;
    for client in [&mut stalled, &mut silent] {
        client.expect_text("welcome").await;
        client.expect_end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_dropped_is_gone() {
    let recorder = Recorder::default();
    let client = host(&recorder).connect("/").await;
    drop(client);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(recorder.outcomes()[0].code.as_u16(), 1006);
}
