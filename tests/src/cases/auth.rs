//! Who may connect.

use std::sync::Arc;

use wharf_sdk::{
    App, Configure, Context, Error, Group, Next, Principal, Result, Route, Socket, Subprotocols,
    http::{HeaderValue, StatusCode},
    middleware::{RequestIdLayer, SetHeader, authenticator, bearer, from_fn, subprotocol_token},
    response,
};

use crate::{Answer, Client, Host, Notes, Request, Site, fixture::echo};

/// Without a principal where one is required: 401 with `WWW-Authenticate`.
pub async fn unauthenticated(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for request in [
        Request::upgrade("/private"),
        with_credential("Basic bGV0bWVpbjo="),
        with_credential("Bearer"),
        with_credential("Bearer "),
        with_credential("letmein"),
    ] {
        expect_unauthorized(site.request(request).await, "WHARF_UNAUTHORIZED");
    }
    let refused = site.request(with_credential("Bearer wrong")).await;
    expect_unauthorized(refused, "WHARF_INVALID_CREDENTIAL");
}

/// A principal that lacks a scope: 403.
pub async fn scope_missing(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let refused = site
        .request(with_credential("Bearer letmein-noscope"))
        .await;
    refused.expect_problem(403, "WHARF_SCOPE_MISSING");
}

/// A principal with the scope gets in, and the handler knows who it is.
pub async fn authorized(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for credential in ["Bearer letmein", "bearer letmein", "BEARER  letmein "] {
        let mut client = site.open_with(with_credential(credential)).await;
        client.expect_text("hello alice").await;
        client.expect_echo("inside").await;
        client.close().await;
    }
}

/// A route that requires a principal is not built where no middleware authenticates; a function that
/// does declares it. Where it knows nobody, nobody gets in.
pub async fn fails_closed(host: &dyn Host) {
    let ways = [
        Route::new("/auth", echo).require_auth(),
        Route::new("/scopes", echo).require_scopes(["chat"]),
    ];
    for route in ways {
        let error = App::builder()
            .route(route)
            .build()
            .expect_err("lets nobody in");
        assert!(
            error.message().contains("no middleware authenticates"),
            "{error}"
        );
    }
    let site = Site::of(host, |app| {
        app.middleware(authenticator(async |context, next: Next| {
            Ok(next.run(context).await)
        }))
        .route(Route::new("/auth", echo).require_auth())
    })
    .await;
    let request = Request::upgrade("/auth").with("Authorization", "Bearer letmein");
    expect_unauthorized(site.request(request).await, "WHARF_UNAUTHORIZED");
}

/// Middleware behind the authorization is reached by those who are let in alone.
pub async fn middleware_behind_it(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let looks_up = from_fn(async |context, next: Next| {
        let notes = context.state::<Notes>().expect("notes");
        notes.add(context.param("room").unwrap_or_default());
        Ok(next.run(context).await)
    });
    let verify = async |token: String| Ok(Some(Principal::new("p").with_scopes([token])));
    let site = Site::of(host, |app| {
        app.state(notes)
            .authorized_middleware(looks_up)
            .middleware(bearer(verify))
            .route(Route::new("/{room}", echo).require_scopes(["member"]))
    })
    .await;
    let request = |token| Request::upgrade("/blue").with("Authorization", token);
    site.request(Request::upgrade("/blue")).await.expect(401);
    site.request(request("Bearer stranger")).await.expect(403);
    assert!(noted.rest().is_empty(), "a stranger reached it");
    site.open_with(request("Bearer member")).await.close().await;
    noted.expect("blue").await;
}

/// An HTTP fallback that is guarded stands behind the route's middleware and authorization; the other
/// kind does not.
pub async fn guards_fallbacks(host: &dyn Host) {
    let verify = async |token: String| Ok(Some(Principal::new(token)));
    let names = async |context: Context| {
        let name = context
            .principal()
            .map(|principal| principal.id.to_string());
        response::text(StatusCode::OK, name.unwrap_or_else(|| "nobody".to_owned()))
    };
    let site = Site::of(host, |app| {
        let stamp = HeaderValue::from_static("yes");
        app.middleware(SetHeader::new("x-stamp".parse().expect("a name"), stamp))
            .middleware(bearer(verify))
            .route(
                Route::new("/guarded", echo)
                    .require_auth()
                    .guarded_fallback(names),
            )
            .route(Route::new("/open", echo).require_auth().fallback(names))
    })
    .await;
    let refused = site.request(Request::plain("GET", "/guarded")).await;
    expect_unauthorized(refused, "WHARF_UNAUTHORIZED");
    let request = Request::plain("GET", "/guarded").with("Authorization", "Bearer alice");
    let answer = site.request(request).await.expect(200);
    assert_eq!(
        (answer.text(), answer.header("x-stamp")),
        ("alice", Some("yes"))
    );
    let answer = site
        .request(Request::plain("GET", "/open"))
        .await
        .expect(200);
    assert_eq!((answer.text(), answer.header("x-stamp")), ("nobody", None));
    assert_eq!(site.events.of("rejected").len(), 1, "the refusal alone");
    let request = Request::upgrade("/guarded").with("Authorization", "Bearer alice");
    site.open_with(request).await.expect_echo("a socket").await;
}

/// Where a route says so, a refusal is a socket that closes with 4000 and the status, which a page
/// can read; observers are told of the refusal all the same.
pub async fn readable_refusals(host: &dyn Host) {
    let verify = async |token: String| Ok(Some(Principal::new("p").with_scopes([token])));
    let site = Site::of(host, |app| {
        app.readable_refusals(true)
            .middleware(RequestIdLayer)
            .middleware(bearer(verify))
            .route(
                Route::new("/chat", echo)
                    .require_scopes(["chat"])
                    .subprotocols(Subprotocols::optional(["chat.v1"])),
            )
            .route(Route::new("/late", async |_: Socket| {
                Err::<(), _>(Error::reject(StatusCode::FORBIDDEN, "not you"))
            }))
    })
    .await;
    let request = Request::upgrade("/chat").with("Sec-WebSocket-Protocol", "chat.v1");
    let answer = site.request(request).await.expect(101);
    assert_eq!(answer.header("sec-websocket-protocol"), Some("chat.v1"));
    assert!(answer.header("x-request-id").is_some(), "{answer:?}");
    let reason = Client::new(answer).expect_close(4401).await;
    assert_eq!(reason, "connect with a valid credential");
    let request = Request::upgrade("/chat").with("Authorization", "Bearer other");
    site.open_with(request).await.expect_close(4403).await;
    let request = Request::upgrade("/chat").with("Origin", "https://evil.example");
    site.open_with(request).await.expect_close(4403).await;
    let told = site.events.wait_for("rejected", 3).await;
    let told: Vec<_> = told.iter().filter_map(|event| event.code).collect();
    assert_eq!(told, [401, 403, 403]);
    // What cannot become a socket is answered as ever.
    site.request(Request::plain("GET", "/chat"))
        .await
        .expect(if host.is_multiplexed() { 405 } else { 426 });
    site.request(Request::upgrade("/nowhere")).await.expect(404);
    // And a handler that refuses too late says so in the same way.
    let reason = site.open("/late").await.expect_close(4403).await;
    assert_eq!(reason, "not you");
}

/// A cap on connections that has no place says so in the same way, to a few at a time who count
/// nowhere; a shutdown answers as ever.
pub async fn readable_refusals_beyond_caps(host: &dyn Host) {
    let site = Site::of(host, |app| {
        app.readable_refusals(true)
            .route(Route::new("/one", echo).max_connections(1))
    })
    .await;
    let mut first = site.open("/one").await;
    for _ in 0..3 {
        let mut second = site.open("/one").await;
        assert_eq!(site.app.handle().connections(), 1);
        let reason = second.expect_close(4503).await;
        assert_eq!(reason, "too many connections; try again later");
    }
    let told = site.events.wait_for("rejected", 3).await;
    assert!(told.iter().all(|event| event.code == Some(503)), "{told:?}");
    first.expect_echo("unharmed").await;
    first.close().await;
    site.expect_connections(0).await;
    site.open("/one").await.expect_echo("room again").await;
}

/// What a group requires its routes inherit, unless they allow anonymous peers.
pub async fn inherited(host: &dyn Host) {
    let verify = async |token: String| Ok(Some(Principal::new("p").with_scopes([token])));
    let site = Site::of(host, |app| {
        app.group(
            Group::new("/g")
                .middleware(bearer(verify))
                .require_auth()
                .route(Route::new("/members", echo))
                .route(Route::new("/admins", echo).require_scopes(["admin"]))
                .route(Route::new("/anybody", echo).allow_anonymous()),
        )
    })
    .await;
    let request = |path: &str, token: &str| {
        Request::upgrade(path).with("Authorization", format!("Bearer {token}"))
    };
    site.request(Request::upgrade("/g/members"))
        .await
        .expect(401);
    site.request(Request::upgrade("/g/admins"))
        .await
        .expect(401);
    site.request(request("/g/admins", "member"))
        .await
        .expect(403);
    site.open_with(request("/g/admins", "admin"))
        .await
        .expect_echo("admin")
        .await;
    site.open_with(request("/g/members", "member"))
        .await
        .expect_echo("member")
        .await;
    site.open("/g/anybody").await.expect_echo("anybody").await;
}

/// A token that travels as a subprotocol authenticates, and is neither selected nor echoed.
pub async fn token_as_subprotocol(host: &dyn Host) {
    let verify = async |token: String| Ok((token == "letmein").then(|| Principal::new("alice")));
    let greets = async |principal: Arc<Principal>, mut socket: Socket| -> Result<()> {
        let protocol = socket.subprotocol().unwrap_or("none").to_owned();
        socket
            .write(format!("{} speaks {protocol}", principal.id))
            .await
    };
    let site = Site::of(host, |app| {
        app.route(
            Route::new("/private", greets)
                .middleware(subprotocol_token("bearer.", verify))
                .require_auth()
                // A careless route that lists the token itself still does not select it.
                .subprotocols(Subprotocols::optional(["bearer.letmein", "chat.v1"])),
        )
    })
    .await;
    let request = |offers| Request::upgrade("/private").with("Sec-WebSocket-Protocol", offers);
    for (offers, selected) in [
        ("chat.v1, bearer.letmein", Some("chat.v1")),
        ("bearer.letmein", None),
    ] {
        let answer = site.request(request(offers)).await.expect(101);
        assert_eq!(
            answer.header("sec-websocket-protocol"),
            selected,
            "in {answer:?}"
        );
        let spoken = selected.unwrap_or("none");
        Client::new(answer)
            .expect_text(&format!("alice speaks {spoken}"))
            .await;
    }
    site.request(request("chat.v1")).await.expect(401);
    let refused = site.request(request("chat.v1, bearer.wrong")).await;
    let refused = refused.expect(401);
    assert!(
        !refused.text().contains("wrong"),
        "the token is not repeated: {refused:?}"
    );
}

fn with_credential(credential: &str) -> Request {
    Request::upgrade("/private").with("Authorization", credential)
}

#[track_caller]
fn expect_unauthorized(answer: Answer, code: &str) {
    let answer = answer.expect_problem(401, code);
    let challenge = answer.header("www-authenticate").expect("WWW-Authenticate");
    assert!(challenge.starts_with("Bearer"), "{challenge:?}");
}
