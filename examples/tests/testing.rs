//! How a handler is tested: in memory, in microseconds, its 25 s heartbeat included.

use std::time::Duration;

use wharf::{App, Message, Path, Result, Route, prelude::*, testing::TestHost};

async fn greeter(Path(name): Path<String>, mut socket: Socket) -> Result<()> {
    socket.write(format!("hello {name}")).await?;
    while let Some(text) = socket.read_text().await? {
        socket.write_text(text.to_uppercase()).await?;
    }
    Ok(())
}

fn host() -> TestHost {
    let app = App::builder().route(Route::new("/greet/{name}", greeter));
    TestHost::new(app.build().expect("valid"))
}

#[tokio::test]
async fn greets_and_shouts() {
    let mut client = host().connect("/greet/Zo%C3%AB").await;
    client.expect_text("hello Zoë").await;
    client.send_text("quiet").await;
    client.expect_text("QUIET").await;
}

#[tokio::test]
async fn refuses_binary_with_1003() {
    let mut client = host().connect("/greet/a").await;
    client.expect_text("hello a").await;
    client.send_binary(b"\x00").await;
    client.expect_close(1003).await;
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let rejected = host()
        .connect("/greet/a")
        .origin("https://evil.example")
        .expect_rejected(403)
        .await;
    assert_eq!(rejected.code().as_deref(), Some("WHARF_ORIGIN_DENIED"));
}

#[tokio::test(start_paused = true)]
async fn silent_clients_are_pinged_after_25_seconds() {
    let mut client = host().connect("/greet/a").await;
    client.expect_text("hello a").await;
    let before = tokio::time::Instant::now();
    assert!(matches!(client.next_frame().await, Some(Message::Ping(_))));
    assert_eq!(
        before.elapsed().as_secs(),
        Duration::from_secs(25).as_secs()
    );
}
