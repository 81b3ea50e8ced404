//! Server-sent events for clients without sockets.

use wharf_sdk::{Route, Socket};

use crate::{Host, Request, Site, fixture::echo};

/// What the handler writes as text comes as events with ids, and the end as an event.
pub async fn texts_are_events(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let answer = site.request(asking("/sse")).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(
        body,
        "id: 1\ndata: one\n\nid: 2\ndata: two\n\nid: 3\ndata: three\n\n\
         event: close\ndata: {\"code\":1000,\"reason\":\"\"}\n\n"
    );
}

/// Who resumes is told on behind its last id, and the handler can ask for it.
pub async fn resumed(host: &dyn Host) {
    let site = Site::of(host, |app| {
        let handler = async |context: wharf_sdk::Context, mut socket: Socket| {
            let last = context.last_event_id().unwrap_or("none").to_owned();
            socket.write(format!("behind {last}\nand on")).await
        };
        app.route(Route::new("/resume", handler).server_sent_events())
    })
    .await;
    let answer = site
        .request(asking("/resume").with("Last-Event-ID", "41"))
        .await;
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(
        body.starts_with("id: 42\ndata: behind 41\ndata: and on\n\n"),
        "{body}"
    );
}

/// Sockets are served on the same route.
pub async fn beside_sockets(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/sse").await;
    for text in ["one", "two", "three"] {
        client.expect_text(text).await;
    }
    client.expect_close(1000).await;
}

/// A route that does not ask for it, and a request that does not, get what they got.
pub async fn off_by_default(host: &dyn Host) {
    let (status, code) = host.refusal_of_get();
    let site = Site::fixture(host).await;
    let answer = site.request(asking("/echo")).await;
    answer.expect_problem(status, code);
    let answer = site.request(Request::plain("GET", "/sse")).await;
    answer.expect_problem(status, code);
}

/// Origins and authentication are checked as for sockets.
pub async fn checked_like_sockets(host: &dyn Host) {
    let site = Site::of(host, |app| {
        app.route(Route::new("/events", echo).server_sent_events())
    })
    .await;
    let stranger = asking("/events").with("Origin", "https://evil.example");
    site.request(stranger)
        .await
        .expect_problem(403, "WHARF_ORIGIN_DENIED");
}

fn asking(path: &str) -> Request {
    Request::plain("GET", path).with("Accept", "text/event-stream")
}
