//! Principals that are verified again while their sessions live, in paused time.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::time::Instant;
use wharf_sdk::{
    App, Configure, Error, Principal, Result, Route, Socket, middleware::bearer, testing::TestHost,
};

const EVERY: Duration = Duration::from_secs(10);

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

/// An app that verifies every ten seconds, with this.
fn host<Fut>(verify: impl Fn(Arc<Principal>) -> Fut + Send + Sync + 'static) -> TestHost
where
    Fut: Future<Output = Result<Option<Principal>>> + Send + 'static,
{
    let app = App::builder()
        .middleware(bearer(async |token| Ok(Some(Principal::new(token)))))
        .reverify(EVERY, verify)
        .no_heartbeat()
        .route(Route::new("/", echo));
    TestHost::new(app.build().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_revoked_principal_is_closed_at_its_next_time() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let host = host(move |who| {
        let times = count.fetch_add(1, Ordering::Relaxed);
        async move { Ok((times < 2).then(|| Principal::clone(&who))) }
    });
    let mut client = host.connect("/").bearer("alice").await;
    let began = Instant::now();
    client.send_text("hello").await;
    client.expect_text("hello").await;
    client.expect_close(1008).await;
    assert_eq!(began.elapsed().as_secs(), 3 * EVERY.as_secs());
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn an_error_a_panic_and_a_long_wait_end_nothing() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let host = host(move |_| {
        let times = count.fetch_add(1, Ordering::Relaxed);
        async move {
            match times {
                0 => Err(Error::handler("the database is away")),
                1 => std::panic::panic_any("so is its client"),
                2 => std::future::pending().await,
                _ => Ok(None),
            }
        }
    });
    let mut client = host.connect("/").bearer("alice").await;
    let began = Instant::now();
    client.expect_close(1008).await;
    // The third took as long as the interval until it was given up.
    assert_eq!(began.elapsed().as_secs(), 5 * EVERY.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_later_expiry_lets_the_session_go_on_until_then() {
    let host = host(async |who| {
        let expires_at = SystemTime::now() + Duration::from_secs(15);
        Ok(Some(Principal::clone(&who).expiring_at(expires_at)))
    });
    let mut client = host.connect("/").bearer("alice").await;
    // Renewed each time, it does not expire.
    for _ in 0..10 {
        tokio::time::sleep(EVERY).await;
        client.send_text("still here").await;
        client.expect_text("still here").await;
    }
}

#[tokio::test(start_paused = true)]
async fn strangers_are_not_asked_for() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let host = host(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        async { Ok(None) }
    });
    let mut stranger = host.connect("/").await;
    tokio::time::sleep(5 * EVERY).await;
    stranger.send_text("still here").await;
    stranger.expect_text("still here").await;
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[test]
fn an_interval_of_nothing_is_refused() {
    let app = App::builder()
        .reverify(Duration::ZERO, async |_| Ok(None))
        .route(Route::new("/", echo));
    let error = app.build().unwrap_err();
    assert!(error.message().contains("reverify"), "{error}");
}
