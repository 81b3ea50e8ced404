//! The checks that come before anybody's code, and the 101.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};
use wharf_sdk::{
    Configure, OriginPolicy, Principal, Route, Subprotocols,
    http::StatusCode,
    middleware::{bearer, from_fn},
    response,
};

use crate::{Answer, Host, Request, Site, fixture::echo};

/// A path that no route has is 404, whatever else the request is.
pub async fn unknown_path(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for request in [
        Request::upgrade("/nowhere"),
        Request::plain("GET", "/nowhere"),
        Request::plain("POST", "/nowhere"),
        Request::upgrade("/"),
    ] {
        site.request(request)
            .await
            .expect_problem(404, "WHARF_NOT_FOUND");
    }
    for event in site.events.wait_for("rejected", 4).await {
        event.expect_error("WHARF_NOT_FOUND", "match");
        assert_eq!((event.code, event.route), (Some(404), None));
    }
}

/// An app that is full answers 503 with `Retry-After`, until a connection ends.
pub async fn full_app(host: &dyn Host) {
    let site = Site::of(host, |app| {
        app.max_app_connections(1)
            .route(Route::new("/a", echo))
            .route(Route::new("/b", echo))
    })
    .await;
    let mut client = site.open("/a").await;
    expect_full(site.request(Request::upgrade("/b")).await);
    // Unknown paths come first.
    site.request(Request::upgrade("/c")).await.expect(404);
    client.close().await;
    site.expect_no_connections().await;
    site.open("/b").await.expect_echo("room again").await;
}

/// A route that is full answers 503, and leaves its neighbours alone.
pub async fn full_route(host: &dyn Host) {
    let site = Site::of(host, |app| {
        app.route(Route::new("/a", echo).max_connections(2))
            .route(Route::new("/b", echo))
    })
    .await;
    let (mut first, mut second) = (site.open("/a").await, site.open("/a").await);
    expect_full(site.request(Request::upgrade("/a")).await);
    site.open("/b").await.expect_echo("not full").await;
    first.expect_echo("unharmed").await;
    second.vanish();
    site.expect_connections(1).await;
    site.open("/a").await.expect_echo("room again").await;
}

/// A peer address that has its share of connections answers 503.
pub async fn full_peer(host: &dyn Host) {
    let site = Site::of(host, |app| {
        app.max_connections_per_peer(2)
            .route(Route::new("/echo", echo))
    })
    .await;
    let (mut first, _second) = (site.open("/echo").await, site.open("/echo").await);
    expect_full(site.request(Request::upgrade("/echo")).await);
    first.close().await;
    site.expect_connections(1).await;
    site.open("/echo").await.expect_echo("room again").await;
}

/// Whatever else is to be said of a request, that there is no room comes first.
pub async fn full_before_other_checks(host: &dyn Host) {
    let site = Site::of(host, |app| {
        let route = Route::new("/one", echo)
            .fallback(async |_| response::text(StatusCode::OK, "plain"))
            .max_connections(1);
        app.route(route)
    })
    .await;
    let mut client = site.open("/one").await;
    for request in [
        Request::plain("GET", "/one"),
        Request::plain("POST", "/one"),
        Request::upgrade("/one").method("POST"),
        Request::upgrade("/one").without("Sec-WebSocket-Key"),
        Request::upgrade("/one").with("Origin", "https://evil.example"),
    ] {
        expect_full(site.request(request).await);
    }
    client.close().await;
    site.expect_no_connections().await;
    site.request(Request::plain("GET", "/one"))
        .await
        .expect(200);
}

/// A request that is no upgrade gets the route's HTTP fallback, with any method.
pub async fn fallback(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let answer = site
            .request(Request::plain(method, "/fallback"))
            .await
            .expect(200);
        assert_eq!(answer.json()["message"], "connect with a WebSocket client");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    if !host.is_multiplexed() {
        for request in no_upgrades("/fallback") {
            site.request(request).await.expect(200);
        }
    }
    let head = site
        .request(Request::plain("HEAD", "/fallback"))
        .await
        .expect(200);
    assert!(head.body.is_empty());
    site.open("/fallback")
        .await
        .expect_echo("an upgrade is an upgrade")
        .await;
    assert!(
        site.events.of("rejected").is_empty(),
        "a fallback rejects nothing"
    );
}

/// A method other than GET is 405 with `Allow: GET`, upgrade or not.
pub async fn method(host: &dyn Host) {
    if host.is_multiplexed() {
        return; // It asks for what HTTP/2 has no words for.
    }
    let site = Site::fixture(host).await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        for request in [
            Request::upgrade("/echo").method(method),
            Request::plain(method, "/echo"),
        ] {
            let answer = site
                .request(request)
                .await
                .expect_problem(405, "WHARF_METHOD");
            assert_eq!(answer.header("allow"), Some("GET"));
        }
    }
    site.request(Request::plain("HEAD", "/echo"))
        .await
        .expect(405);
}

/// A request that is no upgrade is 426 with `Upgrade: websocket` and `Connection: Upgrade` where
/// there is no fallback.
pub async fn not_an_upgrade(host: &dyn Host) {
    if host.is_multiplexed() {
        return; // It asks for what HTTP/2 has no words for.
    }
    let site = Site::fixture(host).await;
    for request in no_upgrades("/echo") {
        let shown = format!("{request:?}");
        let answer = site
            .request(request)
            .await
            .expect_problem(426, "WHARF_NOT_AN_UPGRADE");
        assert_eq!(answer.header("upgrade"), Some("websocket"), "for {shown}");
        let connection = answer
            .header("connection")
            .unwrap_or_default()
            .to_ascii_lowercase();
        assert!(
            connection.contains("upgrade"),
            "Connection: {connection:?} for {shown}"
        );
    }
}

/// HTTP/1.0 has no upgrades.
pub async fn http_10(host: &dyn Host) {
    if host.is_multiplexed() {
        return; // It asks for what HTTP/2 has no words for.
    }
    let site = Site::fixture(host).await;
    site.request(Request::upgrade("/echo").http_10())
        .await
        .expect(426);
    site.request(Request::upgrade("/fallback").http_10())
        .await
        .expect(200);
}

/// Another version of the protocol, or none, is 426 with the one that is spoken.
pub async fn version(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let request = |version| Request::upgrade("/echo").replacing("Sec-WebSocket-Version", version);
    for request in [
        Request::upgrade("/echo").without("Sec-WebSocket-Version"),
        request("8"),
        request("12"),
        request("14"),
        request("013"),
        request("13, 8"),
        request("x"),
        Request::upgrade("/echo").with("Sec-WebSocket-Version", "13"),
        Request::upgrade("/echo").with("Sec-WebSocket-Version", "8"),
    ] {
        let answer = site
            .request(request)
            .await
            .expect_problem(426, "WHARF_VERSION");
        assert_eq!(answer.header("sec-websocket-version"), Some("13"));
    }
}

/// A key that is missing, repeated, or not base64 of 16 bytes is 400.
pub async fn key(host: &dyn Host) {
    if host.is_multiplexed() {
        return; // It asks for what HTTP/2 has no words for.
    }
    let site = Site::fixture(host).await;
    let request = |key: &str| Request::upgrade("/echo").replacing("Sec-WebSocket-Key", key);
    for request in [
        Request::upgrade("/echo").without("Sec-WebSocket-Key"),
        Request::upgrade("/echo").with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        request(""),
        request("dGVzdA=="),
        request(&STANDARD.encode([7; 15])),
        request(&STANDARD.encode([7; 17])),
        request(&STANDARD.encode([7; 32])),
        request("not base64 at all!!!!!!!"),
        request("dGhlIHNhbXBsZSBub25jZQ"),
        request("dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        site.request(request).await.expect_problem(400, "WHARF_KEY");
    }
}

/// A request that passes gets a complete 101 for its own key, and no extension.
pub async fn accepted(host: &dyn Host) {
    if host.is_multiplexed() {
        return; // It asks for what HTTP/2 has no words for.
    }
    let site = Site::fixture(host).await;
    for seed in [0, 42, 255] {
        let key = STANDARD.encode([seed; 16]);
        let request = Request::upgrade("/echo")
            .replacing("Sec-WebSocket-Key", key.as_str())
            .with(
                "Sec-WebSocket-Extensions",
                "permessage-deflate; client_max_window_bits",
            );
        let answer = site.request(request).await.expect(101);
        let mut hash = Sha1::new();
        hash.update(key);
        hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        let accept = STANDARD.encode(hash.finalize());
        assert_eq!(answer.header("sec-websocket-accept"), Some(accept.as_str()));
        let upgrade = answer.header("upgrade").expect("Upgrade");
        assert!(upgrade.eq_ignore_ascii_case("websocket"), "{answer:?}");
        let connection = answer.header("connection").expect("Connection");
        assert!(connection.eq_ignore_ascii_case("upgrade"), "{answer:?}");
        for absent in [
            "sec-websocket-protocol",
            "sec-websocket-extensions",
            "content-length",
            "transfer-encoding",
        ] {
            assert_eq!(answer.header(absent), None, "{answer:?}");
        }
    }
}

/// Header names and tokens are case-insensitive, and lists are lists.
pub async fn case_and_lists(host: &dyn Host) {
    if host.is_multiplexed() {
        return; // It asks for what HTTP/2 has no words for.
    }
    let site = Site::fixture(host).await;
    let bare = || {
        Request::upgrade("/echo")
            .without("Connection")
            .without("Upgrade")
    };
    for request in [
        bare()
            .with("connection", "keep-alive, UPGRADE")
            .with("upgrade", "WebSocket"),
        bare()
            .with("CONNECTION", "upgrade,keep-alive")
            .with("UPGRADE", "WEBSOCKET"),
        bare()
            .with("Connection", "keep-alive")
            .with("Connection", " Upgrade ")
            .with("Upgrade", "websocket"),
        bare()
            .with("Connection", "Upgrade")
            .with("Upgrade", "h2c")
            .with("Upgrade", "websocket"),
    ] {
        site.open_with(request).await.expect_echo("open").await;
    }
}

/// Of several reasons to refuse, the first in the contract's order answers.
pub async fn order_of_checks(host: &dyn Host) {
    if host.is_multiplexed() {
        return; // It asks for what HTTP/2 has no words for.
    }
    let site = Site::of(host, |app| {
        let teapot = from_fn(async |context, next| {
            if context.header("x-teapot").is_some() {
                return Ok(response::text(StatusCode::IM_A_TEAPOT, "short and stout"));
            }
            Ok(next.run(context).await)
        });
        let verify = async |name: String| Ok(Some(Principal::new("p").with_scopes([name])));
        app.route(
            Route::new("/guarded", echo)
                .origins(OriginPolicy::list(["https://app.example"]).expect("an origin"))
                .middleware(teapot)
                .middleware(bearer(verify))
                .require_scopes(["chat"])
                .subprotocols(Subprotocols::required(["chat.v1"])),
        )
    })
    .await;
    // Everything is wrong with this one; each step mends what was answered.
    let mut request = Request::plain("POST", "/unguarded")
        .with("Sec-WebSocket-Version", "8")
        .with("Sec-WebSocket-Protocol", "a,,b")
        .with("Origin", "https://evil.example")
        .with("X-Teapot", "yes");
    let expect = async |request: &Request, status: u16, code: &str| {
        site.request(request.clone())
            .await
            .expect_problem(status, code);
    };
    expect(&request, 404, "WHARF_NOT_FOUND").await;
    request.target = "/guarded".to_owned();
    expect(&request, 405, "WHARF_METHOD").await;
    request = request.method("GET");
    expect(&request, 426, "WHARF_NOT_AN_UPGRADE").await;
    request = request
        .with("Connection", "Upgrade")
        .with("Upgrade", "websocket");
    expect(&request, 426, "WHARF_VERSION").await;
    request = request.replacing("Sec-WebSocket-Version", "13");
    expect(&request, 400, "WHARF_KEY").await;
    request = request.with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    expect(&request, 400, "WHARF_INVALID_SUBPROTOCOL").await;
    request = request.replacing("Sec-WebSocket-Protocol", "other");
    expect(&request, 403, "WHARF_ORIGIN_DENIED").await;
    request = request.replacing("Origin", "https://app.example");
    site.request(request.clone()).await.expect(418);
    request = request.without("X-Teapot");
    expect(&request, 401, "WHARF_UNAUTHORIZED").await;
    request = request.with("Authorization", "Bearer other");
    expect(&request, 403, "WHARF_SCOPE_MISSING").await;
    request = request.replacing("Authorization", "Bearer chat");
    expect(&request, 400, "WHARF_SUBPROTOCOL_REQUIRED").await;
    request = request.replacing("Sec-WebSocket-Protocol", "other, chat.v1");
    site.open_with(request).await.expect_echo("at last").await;
}

/// Requests that are no upgrade, each for another reason.
fn no_upgrades(path: &str) -> Vec<Request> {
    let upgrade = || Request::upgrade(path);
    vec![
        Request::plain("GET", path),
        upgrade().without("Upgrade"),
        upgrade().without("Connection"),
        upgrade().replacing("Upgrade", "h2c"),
        upgrade().replacing("Upgrade", "websockets"),
        upgrade().replacing("Connection", "keep-alive"),
        upgrade().replacing("Connection", "notupgrade"),
        upgrade().replacing("Connection", "upgrade-insecure-requests, close"),
    ]
}

#[track_caller]
fn expect_full(answer: Answer) {
    let answer = answer.expect_problem(503, "WHARF_FULL");
    let seconds = answer.header("retry-after").expect("Retry-After");
    seconds.parse::<u64>().expect("seconds");
}
