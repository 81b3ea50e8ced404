//! Plain HTTP on the app's routes.

use std::time::Duration;

use serde_json::json;
use wharf_sdk::{Configure, Context, Group, Route, SlowClient, http::StatusCode, response};

use crate::{Host, Request, Site, fixture::echo};

/// A fallback sees the same context as a handler, and its response is sent as it is.
pub async fn fallbacks_see_the_context(host: &dyn Host) {
    let answers = async |context: Context| {
        let seen = json!({
            "method": context.method().as_str(),
            "room": context.param("room"),
            "query": context.query(),
            "path": context.path(),
            "name": context.header("x-name"),
            "is_upgrade": context.is_upgrade(),
            "route": context.pattern(),
        });
        let mut answer = response::json(StatusCode::ACCEPTED, &seen);
        answer
            .headers_mut()
            .insert("x-own", "header".parse().expect("a value"));
        answer
    };
    let site = Site::of(host, |app| {
        app.route(Route::new("/r/{room}", echo).fallback(answers))
    })
    .await;
    let request = Request::plain("DELETE", "/r/a%20b?c=%64").with("X-Name", "Ada");
    let answer = site.request(request).await.expect(202);
    assert_eq!(answer.header("x-own"), Some("header"));
    let expected = json!({
        "method": "DELETE",
        "room": "a b",
        "query": "c=%64",
        "path": "/r/a%20b",
        "name": "Ada",
        "is_upgrade": false,
        "route": "/r/{room}",
    });
    assert_eq!(answer.json(), expected);
}

/// A fallback that panics, in its future or before it returns one, is a 500; observers are told,
/// and the server goes on.
pub async fn fallback_panics(host: &dyn Host) {
    let panics = async |_: Context| panic!("a fallback panics");
    let panics_early = |context: Context| {
        assert!(context.is_upgrade(), "a fallback panics early");
        async { response::text(StatusCode::OK, "") }
    };
    let site = Site::of(host, |app| {
        app.route(Route::new("/panics", echo).fallback(panics))
            .route(Route::new("/panics-early", echo).fallback(panics_early))
            .route(Route::new("/echo", echo))
    })
    .await;
    for path in ["/panics", "/panics-early"] {
        let answer = site.request(Request::plain("GET", path)).await;
        answer.expect_problem(500, "WHARF_PANIC");
    }
    for told in site.events.wait_for("rejected", 2).await {
        told.expect_error("WHARF_PANIC", "handler");
    }
    site.open("/panics")
        .await
        .expect_echo("the server goes on")
        .await;
}

/// A deprecated route says so on the 101 and in the snapshot.
pub async fn deprecated(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let answer = site
        .request(Request::upgrade("/deprecated"))
        .await
        .expect(101);
    assert_eq!(answer.header("deprecation"), Some("@1767225600"));
    assert_eq!(
        answer.header("sunset"),
        Some("Fri, 01 Jan 2027 00:00:00 GMT")
    );
    let link = answer.header("link").expect("a link");
    assert!(link.ends_with("rel=\"deprecation\""), "{link}");
    crate::Client::new(answer).expect_echo("still here").await;
    let routes = site.app.routes();
    let marked = routes.iter().filter(|route| route.deprecated.is_some());
    let marked: Vec<_> = marked.map(|route| &*route.pattern).collect();
    assert_eq!(marked, ["/deprecated"]);
}

/// It says so on every other answer as well, those included that no middleware sees.
pub async fn deprecated_refusals(host: &dyn Host) {
    let site = Site::of(host, |app| {
        let old = Route::new("/old", echo).deprecated("2026-01-01", "2027-01-01", None);
        let answers = async |_: Context| response::text(StatusCode::OK, "plain");
        let plain = Route::new("/plain", echo)
            .deprecated("2026-01-01", None, None)
            .fallback(answers);
        app.route(old.max_connections(1)).route(plain)
    })
    .await;
    let cross = Request::upgrade("/old").with("Origin", "https://evil.example");
    let not_an_upgrade = match host.is_multiplexed() {
        true => 405,
        false => 426,
    };
    for (request, status) in [
        (cross, 403),
        (Request::plain("GET", "/old"), not_an_upgrade),
        (Request::plain("GET", "/plain"), 200),
    ] {
        let answer = site.request(request).await.expect(status);
        assert_eq!(answer.header("deprecation"), Some("@1767225600"));
    }
    let _only = site.open("/old").await;
    let full = site.request(Request::upgrade("/old")).await.expect(503);
    assert_eq!(full.header("deprecation"), Some("@1767225600"));
    assert_eq!(full.header("sunset"), Some("Fri, 01 Jan 2027 00:00:00 GMT"));
}

/// A fallback has a time of its own: not that of deciding on sockets.
pub async fn fallback_times_out(host: &dyn Host) {
    let slow = async |_: Context| {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        response::text(StatusCode::OK, "slow")
    };
    let hangs = async |_: Context| std::future::pending().await;
    let site = Site::of(host, |app| {
        app.upgrade_timeout(Duration::from_secs(1))
            .fallback_timeout(Duration::from_secs(20))
            .route(Route::new("/slow", echo).fallback(slow))
            .route(Route::new("/slow-guarded", echo).guarded_fallback(slow))
            .route(
                Route::new("/hangs", echo)
                    .fallback(hangs)
                    .fallback_timeout(Duration::from_millis(100)),
            )
    })
    .await;
    for path in ["/slow", "/slow-guarded"] {
        let answer = site.request(Request::plain("GET", path)).await.expect(200);
        assert_eq!(answer.text(), "slow");
    }
    let answer = site.request(Request::plain("GET", "/hangs")).await;
    answer.expect_problem(504, "WHARF_UPGRADE_TIMEOUT");
}

/// A plain request with a body is answered as well.
pub async fn with_a_body(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let request = Request::plain("POST", "/fallback")
        .with("Content-Length", "11")
        .followed_by("hello world");
    site.request(request).await.expect(200);
}

/// The fixture tells its events over HTTP, absent fields left out.
pub async fn events_over_http(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/fail").await;
    client.send_text("go").await;
    client.expect_close(1011).await;
    site.events.only("closed").await;
    site.request(Request::upgrade("/teapot")).await.expect(418);
    let events = site
        .request(Request::plain("GET", "/events"))
        .await
        .expect(200)
        .json();
    let expected = json!([
        {"event": "upgraded", "route": "/fail"},
        {"event": "failed", "route": "/fail", "error": "WHARF_HANDLER", "phase": "handler"},
        {
            "event": "closed", "route": "/fail", "code": 1011, "reason": "", "clean": true,
            "initiator": "handler", "messages_in": 1, "messages_out": 0,
        },
        {"event": "rejected", "route": "/teapot", "code": 418},
    ]);
    assert_eq!(events, expected);
}

/// The route snapshot tells everything in effect on a route.
pub async fn route_snapshot(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let routes = site
        .request(Request::plain("GET", "/routes"))
        .await
        .expect(200)
        .json();
    let route = |pattern: &str| {
        let routes = routes.as_array().expect("an array");
        let found = routes.iter().find(|route| route["pattern"] == pattern);
        found
            .unwrap_or_else(|| panic!("{pattern} is missing in {routes:?}"))
            .clone()
    };
    assert_eq!(route("/echo")["limits"]["max_message_bytes"], 64 << 20);
    assert_eq!(route("/idle")["limits"]["idle_timeout"], 500);
    assert_eq!(route("/private")["requires_auth"], true);
    assert_eq!(route("/private")["scopes"], json!(["chat"]));
    assert_eq!(route("/fallback")["has_fallback"], true);
    assert_eq!(
        route("/overflow/drop-oldest")["limits"]["slow_client"],
        "drop-oldest"
    );
    let protocols = &route("/protocols-required")["limits"]["subprotocols"];
    assert_eq!(
        protocols,
        &json!({"names": ["chat.v2", "chat.v1"], "required": true})
    );

    let app = wharf_sdk::App::builder()
        .tagged("all")
        .group(
            Group::new("/g")
                .tagged("grouped")
                .slow_client(SlowClient::Close)
                .route(
                    Route::new("/{a}", echo)
                        .named("a")
                        .tagged("own")
                        .max_connections(7),
                ),
        )
        .build()
        .expect("valid");
    let snapshot = &app.routes()[0];
    assert_eq!(
        (snapshot.kind, snapshot.pattern.as_str()),
        ("websocket", "/g/{a}")
    );
    assert_eq!(snapshot.name.as_deref(), Some("a"));
    assert_eq!(snapshot.group.as_deref(), Some("/g"));
    assert_eq!(snapshot.tags, ["all", "grouped", "own"]);
    assert_eq!(snapshot.limits.max_connections, Some(7));
    assert_eq!(snapshot.limits.slow_client, SlowClient::Close);
}

/// `POST /shutdown` of the fixture answers at once and closes every session.
pub async fn shutdown_over_http(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/echo").await;
    site.request(Request::plain("GET", "/shutdown"))
        .await
        .expect(405);
    client.expect_echo("still here").await;
    let request = Request::plain("POST", "/shutdown?deadline_ms=5000");
    site.request(request).await.expect(202);
    client.expect_close(1001).await;
    site.events
        .only("closed")
        .await
        .expect_outcome(1001, true, "server");
}
