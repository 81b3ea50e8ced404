//! Requests that no honest client sends: a clear 4xx or the end, never a 5xx, a hang or a crash.

use crate::{Host, Request, Site};

/// A body on an upgrade request is 400.
pub async fn body(host: &dyn Host) {
    if host.is_multiplexed() {
        return; // It asks for what HTTP/2 has no words for.
    }
    let site = Site::fixture(host).await;
    let with_length = Request::upgrade("/echo")
        .with("Content-Length", "5")
        .followed_by("hello");
    site.request(with_length)
        .await
        .expect_problem(400, "WHARF_BODY");
    let chunked = Request::upgrade("/echo")
        .with("Transfer-Encoding", "chunked")
        .followed_by("5\r\nhello\r\n0\r\n\r\n");
    site.request(chunked)
        .await
        .expect_problem(400, "WHARF_BODY");
    let empty = Request::upgrade("/echo").with("Content-Length", "0");
    site.open_with(empty).await.expect_echo("no body").await;
}

/// A header block over 32 KiB is 431.
pub async fn oversized_headers(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let request = Request::upgrade("/echo").with("X-Large", "x".repeat(40 * 1024));
    site.request(request)
        .await
        .expect_problem(431, "WHARF_HEADERS_TOO_LARGE");
    let request = Request::upgrade("/echo").with("X-Large", "x".repeat(16 * 1024));
    site.open_with(request)
        .await
        .expect_echo("large is not too large")
        .await;
}

/// Bytes that no parser takes get a 4xx or a closed connection, and the server goes on.
pub async fn garbage(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for request in [
        Request::upgrade("/echo").with("X-Null", "a\0b"),
        Request::upgrade("/echo").with("Bad Name", "x"),
        Request::upgrade("/echo path").method("GET"),
        Request::upgrade("no-slash"),
        Request::upgrade("/echo").method("G E T"),
    ] {
        let shown = format!("{request:?}");
        let status = site.request(request).await.status();
        assert!(
            status == 0 || (400..500).contains(&status),
            "{status} for {shown}"
        );
    }
    site.open("/echo")
        .await
        .expect_echo("the server goes on")
        .await;
}

/// Many header lines are taken, or refused with a 4xx.
pub async fn many_headers(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let request = (0..200).fold(Request::upgrade("/echo"), |request, number| {
        request.with(&format!("X-Header-{number}"), "x")
    });
    let status = site.request(request).await.status();
    assert!(
        matches!(status, 0 | 101 | 400..=499),
        "the answer is {status}"
    );
}
