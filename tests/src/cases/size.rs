//! Messages over a limit.

use futures::future::join_all;

use crate::{Host, Site, client::Frame};

/// A message of exactly the limit passes; one byte more ends the session with 1009, and no part of
/// it is delivered.
pub async fn to_the_byte(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/limit").await;
    client.expect_echo(&"x".repeat(1024)).await;
    client.send_text(&"x".repeat(1025)).await;
    client.expect_close(1009).await;
    site.events
        .only("failed")
        .await
        .expect_error("WHARF_MESSAGE_TOO_LARGE", "session");
    let closed = site.events.only("closed").await;
    assert_eq!((closed.code, closed.messages_in), (Some(1009), Some(1)));
}

/// The sum of the fragments counts.
pub async fn over_fragments(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/limit").await;
    client
        .send(Frame::text("x".repeat(1000)).unfinished())
        .await;
    client.send(Frame::continuation("x".repeat(24))).await;
    client.expect_text(&"x".repeat(1024)).await;
    client
        .send(Frame::text("x".repeat(1000)).unfinished())
        .await;
    client.send(Frame::continuation("x".repeat(25))).await;
    client.expect_close(1009).await;
}

/// The head alone ends the session: nothing of the payload is waited for, let alone held.
pub async fn by_announcement(host: &dyn Host) {
    let site = &Site::fixture(host).await;
    let heads = [
        ("/limit", 1025),
        ("/greet", (1 << 20) + 1),
        ("/echo", (64 << 20) + 1),
        ("/echo", 1 << 40),
        ("/echo", i64::MAX as u64),
    ];
    join_all(heads.map(|(path, bytes)| async move {
        let mut client = site.open(path).await;
        if path == "/greet" {
            client.expect_text("welcome").await;
        }
        client.send(Frame::binary("").announcing(bytes)).await;
        client.expect_close(1009).await;
    }))
    .await;
}

/// The same for the head of a later fragment.
pub async fn by_announcement_of_a_fragment(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/limit").await;
    client.send(Frame::binary(vec![0; 1000]).unfinished()).await;
    client.send(Frame::continuation("").announcing(25)).await;
    client.expect_close(1009).await;
}

/// The default is 1 MiB.
pub async fn default_limit(host: &dyn Host) {
    const MIB: usize = 1024 * 1024;
    let mut client = Site::fixture(host).await.open("/greet").await;
    client.expect_text("welcome").await;
    client.expect_echo(&"x".repeat(MIB)).await;
    client.send_text(&"x".repeat(MIB + 1)).await;
    client.expect_close(1009).await;
}

/// A route's own limit is above the default where it says so.
pub async fn route_limit(host: &dyn Host) {
    let large = vec![7; 5 * 1024 * 1024];
    let mut client = Site::fixture(host).await.open("/echo").await;
    client.send(Frame::binary(large.clone())).await;
    client.expect_binary(&large).await;
    client.close().await;
}

/// Control frames between the fragments do not count.
pub async fn control_frames_do_not_count(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/limit").await;
    client.send(Frame::binary(vec![1; 1000]).unfinished()).await;
    for _ in 0..10 {
        client.send(Frame::ping(vec![0; 125])).await;
        client.expect_pong(&[0; 125]).await;
    }
    client.send(Frame::continuation(vec![1; 24])).await;
    client.expect_binary(&[1; 1024]).await;
    client.close().await;
}
