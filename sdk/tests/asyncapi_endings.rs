//! What a document says of refusals and close codes is what the app does, and the other way round.

#![cfg(feature = "asyncapi")]
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};

use serde::Deserialize;
use serde_json::Value;
use wharf_sdk::{
    App, CloseFrame, Configure, Context, DecodeErrors, Error, Message, Next, Path, Principal,
    PrincipalCap, Query, RateLimit, RatePolicy, Response, Result, Route, SlowClient, Socket,
    Subprotocols, WebSocketExt,
    asyncapi::Info,
    http::Method,
    middleware::{UpgradeRate, bearer},
    testing::{TestHost, TestSocket, Violation},
};

#[derive(Deserialize, schemars::JsonSchema)]
struct Wanted {
    #[allow(dead_code, reason = "only its form matters")]
    since: u32,
}

/// A name is a token; `nobody` is not known, and only `alice` and `late` may talk.
async fn verify(name: String) -> Result<Option<Principal>> {
    let principal = match &*name {
        "nobody" => return Ok(None),
        "mute" => Principal::new(name),
        _ => Principal::new(name).with_scopes(["talk"]),
    };
    Ok(Some(principal))
}

/// How many connections the route takes that closes with all there is.
const CROWD: usize = 40;

/// Does what the peer says.
async fn obey(mut socket: Socket) -> Result<()> {
    while let Some(text) = socket.read_text().await? {
        match &*text {
            "leave" => return Ok(()),
            "fail" => return Err(Error::handler("it was asked to")),
            "say too much" => socket.write("x".repeat(200)).await?,
            "say a lot" => {
                for _ in 0..64 {
                    socket.write("x".repeat(100)).await?;
                }
            }
            _ => socket.write(text).await?,
        }
    }
    Ok(())
}

fn document(app: &App) -> Value {
    app.asyncapi(&Info::new("Endings", "1.0.0"))
}

fn codes(refusals: &Value) -> BTreeSet<(u64, String)> {
    let refusals = refusals.as_array().unwrap().iter();
    let pair = |refusal: &Value| {
        let code = refusal["code"].as_str().unwrap().to_owned();
        (refusal["status"].as_u64().unwrap(), code)
    };
    refusals.map(pair).collect()
}

#[tokio::test(start_paused = true)]
async fn a_route_refuses_with_what_its_document_says_and_with_nothing_else() {
    async fn numbered(_: Path<u32>, _: Query<Wanted>, socket: Socket) -> Result<()> {
        obey(socket).await
    }
    let once = UpgradeRate::per_minute(NonZeroU32::MIN, |context| {
        context.header("x-hasty").map(str::to_owned)
    });
    let app = App::builder()
        .middleware(once)
        .middleware(bearer(verify))
        .route(
            Route::new("/rooms/{number}", numbered)
                .named("rooms")
                .documents_query::<Wanted>()
                .require_scopes(["talk"])
                .subprotocols(Subprotocols::required(["talk.v1"]))
                .connections_per_principal(PrincipalCap::refuse(1)),
        )
        .build()
        .unwrap();
    let document = document(&app);
    let host = TestHost::new(app);
    let spoken = |path: &str| host.connect(path).protocols(["talk.v1"]);
    let good = || spoken("/rooms/1?since=0");

    let _alice = good().bearer("alice").await;
    let _hasty = good().bearer("hasty").header("x-hasty", "1").await;
    let refused = [
        good()
            .bearer("bob")
            .origin("https://evil.example")
            .expect_rejected(403)
            .await,
        good()
            .bearer("bob")
            .header("x-hasty", "1")
            .expect_rejected(429)
            .await,
        good().bearer("nobody").expect_rejected(401).await,
        good().expect_rejected(401).await,
        good().bearer("mute").expect_rejected(403).await,
        host.connect("/rooms/1?since=0")
            .bearer("bob")
            .expect_rejected(400)
            .await,
        good().bearer("alice").expect_rejected(503).await,
        spoken("/rooms/one?since=0")
            .bearer("bob")
            .expect_rejected(400)
            .await,
        spoken("/rooms/1?since=ever")
            .bearer("bob")
            .expect_rejected(400)
            .await,
    ];
    let met = refused
        .iter()
        .map(|refused| {
            (
                u64::from(refused.status().as_u16()),
                refused.code().unwrap(),
            )
        })
        .collect();
    assert_eq!(codes(&document["channels"]["rooms"]["x-refusals"]), met);
}

#[tokio::test(start_paused = true)]
async fn every_route_refuses_with_what_the_document_says_of_all() {
    let route = Route::new("/rooms/{room}", obey).max_connections(1);
    let app = App::builder()
        .middleware(trouble)
        .route(route.upgrade_timeout(Duration::from_secs(1)))
        .build()
        .unwrap();
    let document = document(&app);
    let host = TestHost::new(app.clone());
    let good = || host.connect("/rooms/1");
    let http = |method| host.http(method, "/rooms/1");

    let mut refused = vec![
        host.connect("/nowhere").expect_rejected(404).await,
        host.connect("/rooms/%FF").expect_rejected(400).await,
        http(Method::POST).expect_rejected(405).await,
        http(Method::GET).expect_rejected(426).await,
        good()
            .header("sec-websocket-version", "8")
            .expect_rejected(426)
            .await,
        good()
            .header("sec-websocket-key", "short")
            .expect_rejected(400)
            .await,
        good()
            .header("content-length", "1")
            .expect_rejected(400)
            .await,
        good()
            .header("host", "another.example")
            .expect_rejected(400)
            .await,
        good()
            .header("x-large", &"x".repeat(40_000))
            .expect_rejected(431)
            .await,
        good()
            .header("sec-websocket-protocol", "a, a")
            .expect_rejected(400)
            .await,
        good()
            .header("sec-websocket-extensions", "=")
            .expect_rejected(400)
            .await,
        good()
            .header("x-trouble", "panic")
            .expect_rejected(500)
            .await,
        good()
            .header("x-trouble", "sleep")
            .expect_rejected(504)
            .await,
    ];
    let _only = good().await;
    refused.push(good().expect_rejected(503).await);
    let shutdown = tokio::spawn(async move { app.handle().shutdown(Duration::from_secs(9)).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    refused.push(good().expect_rejected(503).await);
    shutdown.abort();

    let met = refused.iter().map(|refused| {
        (
            u64::from(refused.status().as_u16()),
            refused.code().unwrap(),
        )
    });
    // No client that is written with a library for HTTP can send it.
    let met = met.chain([(400, "WHARF_TARGET".to_owned())]).collect();
    assert_eq!(codes(&document["x-refusals"]["everywhere"]), met);
    let payload = document["x-refusals"]["payload"]["required"].as_array();
    let body: Value = serde_json::from_slice(refused[0].response.body()).unwrap();
    let missing = |field: &&Value| body.get(field.as_str().unwrap()).is_none();
    assert_eq!(payload.unwrap().iter().find(missing), None);
}

/// Fails the way the request asks for.
async fn trouble(context: Context, next: Next) -> Result<Response> {
    match context.header("x-trouble") {
        Some("panic") => panic!("it was asked to"),
        Some(_) => tokio::time::sleep(Duration::from_secs(60)).await,
        None => {}
    }
    Ok(next.run(context).await)
}

#[tokio::test(start_paused = true)]
async fn a_route_closes_with_what_its_document_says_and_with_nothing_else() {
    let moved = CloseFrame::new(4009, "you connected elsewhere").unwrap();
    let flood = RateLimit::per_second(4).on_excess(RatePolicy::Close);
    let app = App::builder()
        .middleware(trouble)
        .middleware(bearer(verify))
        .route(
            Route::new("/talk", obey)
                .named("talk")
                .require_scopes(["talk"])
                .readable_refusals(true)
                .upgrade_timeout(Duration::from_secs(1))
                .connections_per_principal(PrincipalCap::newest_wins(1, moved))
                .max_connections(CROWD)
                .max_outbound_message_bytes(150)
                .rate_limit(flood)
                .idle_timeout(Duration::from_secs(30))
                .no_heartbeat()
                .slow_client(SlowClient::Close)
                .queue_bytes(1000),
        )
        .build()
        .unwrap();
    let document = document(&app);
    let host = TestHost::new(app);
    let connect = |name: &str| host.connect("/talk").bearer(name);

    let mut met = BTreeSet::new();
    for text in ["leave", "fail", "say too much", "say a lot"] {
        let mut client = connect("alice").await;
        client.send_text(text).await;
        met.insert(closed_with(client).await);
    }
    for violation in [Violation::Unmasked, Violation::InvalidUtf8] {
        let mut client = connect("alice").await;
        client.violate(violation).await;
        met.insert(closed_with(client).await);
    }
    let mut client = connect("alice").await;
    client.send_binary(b"no text").await;
    met.insert(closed_with(client).await);
    let mut client = connect("alice").await;
    for _ in 0..5 {
        client.send_text("hello").await;
    }
    met.insert(closed_with(client).await);
    met.insert(closed_with(connect("alice").await).await);
    let first = connect("alice").await;
    let second = connect("alice").await;
    met.insert(closed_with(first).await);
    for refused in [
        host.connect("/talk"),
        connect("mute"),
        connect("bob").header("sec-websocket-protocol", "a, a"),
        connect("bob").header("x-trouble", "panic"),
        connect("bob").header("x-trouble", "sleep"),
    ] {
        met.insert(closed_with(refused.await).await);
    }
    let mut crowd = vec![second];
    for at in 0..CROWD {
        crowd.push(connect(&format!("visitor {at}")).await);
    }
    met.insert(closed_with(connect("bob").await).await);
    let said = document["channels"]["talk"]["x-close-codes"].as_object();
    let said: BTreeSet<u16> = said
        .unwrap()
        .keys()
        .map(|code| code.parse().unwrap())
        .collect();
    assert_eq!(said, met);
    let elsewhere = &document["channels"]["talk"]["x-close-codes"]["4009"];
    assert!(
        elsewhere.as_str().unwrap().contains("1 at once"),
        "{elsewhere}"
    );
}

/// The code that a session ends with, whatever comes before.
async fn closed_with(mut client: TestSocket) -> u16 {
    loop {
        let message = client.next_message().await.expect("a close frame");
        if let Message::Close(frame) = message {
            return frame.unwrap().code().as_u16();
        }
    }
}

#[test]
fn what_a_route_does_not_do_its_document_does_not_say() {
    let app = App::builder().route(Route::new("/plain", obey).decode_errors(DecodeErrors::Answer));
    let document = document(&app.build().unwrap());
    let codes = document["channels"]["plain"]["x-close-codes"].as_object();
    let codes: Vec<_> = codes.unwrap().keys().map(String::as_str).collect();
    assert_eq!(codes, ["1000", "1001", "1002", "1007", "1009", "1011"]);
}
