//! The door, the socket and the actions.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wharf_inspector::{Acted, Action, Inspector};
use wharf_sdk::{
    App, AppBuilder, Message, Principal, Result, Route, Socket,
    http::Method,
    middleware::bearer,
    testing::{TestHost, TestSocket},
};

const MARKUP: &str = "<img src=x onerror=alert(1)>";

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

async fn verify(token: String) -> Result<Option<Principal>> {
    Ok(match &*token {
        "letmein" => Some(Principal::new("alice").with_scopes(["ops"])),
        "letmein-noscope" => Some(Principal::new("bob")),
        _ => None,
    })
}

async fn anybody(token: String) -> Result<Option<Principal>> {
    Ok(Some(Principal::new(token)))
}

fn app() -> AppBuilder {
    App::builder().route(Route::new("/echo", echo).middleware(bearer(anybody)))
}

fn host(inspector: Inspector) -> TestHost {
    let inspector = inspector.verified_by(verify).require_scopes(["ops"]);
    TestHost::new(inspector.mount(app()).build().unwrap())
}

fn watching_only() -> TestHost {
    host(Inspector::new("/inspect"))
}

/// The next message of this kind.
async fn next(watcher: &mut TestSocket, kind: &str) -> Value {
    loop {
        let message: Value = watcher.expect_json().await;
        if message["kind"] == kind {
            return message;
        }
    }
}

/// The next look of which this holds.
async fn look_where(watcher: &mut TestSocket, holds: impl Fn(&Value) -> bool) -> Value {
    loop {
        let look = next(watcher, "look").await;
        if holds(&look) {
            return look;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_page_is_for_those_with_a_token_and_the_scope() {
    let host = watching_only();
    let get = || host.http(Method::GET, "/inspect");
    let refused = get().send().await;
    assert_eq!(refused.status(), 401);
    assert_eq!(get().bearer("wrong").send().await.status(), 401);
    assert_eq!(get().bearer("letmein-noscope").send().await.status(), 403);
    let asked = get().header("accept", "text/html").send().await;
    assert_eq!(asked.status(), 401);
    assert!(
        std::str::from_utf8(asked.body())
            .unwrap()
            .contains("id=\"token\"")
    );

    let page = get().bearer("letmein").send().await;
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    let html = std::str::from_utf8(page.body()).unwrap();
    assert!(!html.contains("letmein"), "the token is in the page");
}

#[tokio::test(start_paused = true)]
async fn the_socket_is_checked_as_the_page_is() {
    let host = watching_only();
    let connect = || host.connect("/inspect");
    connect().expect_rejected(401).await;
    connect()
        .bearer("letmein-noscope")
        .expect_rejected(403)
        .await;
    connect()
        .bearer("letmein")
        .origin("https://evil.example")
        .expect_rejected(403)
        .await;
    let mut watcher = connect().bearer("letmein").await;
    assert_eq!(next(&mut watcher, "hello").await["who"], "alice");
}

#[tokio::test(start_paused = true)]
async fn a_cookie_alone_opens_no_socket() {
    let host = watching_only();
    let page = host
        .http(Method::GET, "/inspect")
        .bearer("letmein")
        .send()
        .await;
    let cookie = page.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap();
    let html = std::str::from_utf8(page.body()).unwrap();
    let proof = html.split("name=\"proof\" content=\"").nth(1).unwrap();
    let proof = format!("proof.{}", proof.split('"').next().unwrap());

    let connect = || host.connect("/inspect").header("cookie", cookie);
    connect().expect_rejected(403).await;
    connect()
        .protocols(["wharf.inspector", "proof.guessed"])
        .expect_rejected(403)
        .await;
    let watcher = connect().protocols(["wharf.inspector", &proof]).await;
    let selected = &watcher.response().headers()["sec-websocket-protocol"];
    assert_eq!(selected, "wharf.inspector");
}

#[tokio::test(start_paused = true)]
async fn sessions_are_shown_found_and_followed() {
    let host = watching_only();
    let mut client = host.connect("/echo").bearer(MARKUP).await;
    client.send_text("hello").await;
    client.expect_text("hello").await;
    let _other = host.connect("/echo").bearer("carol").await;
    let mut watcher = host.connect("/inspect").bearer("letmein").await;
    next(&mut watcher, "hello").await;
    watcher
        .send_json(&json!({ "view": { "sort": "messages_in", "descending": true } }))
        .await;
    let look = look_where(&mut watcher, |look| {
        look["sessions"]["rows"][0]["bytes_out"] == 5
    })
    .await;
    let first = &look["sessions"]["rows"][0];
    assert_eq!(look["sessions"]["found"], 3);
    assert_eq!(
        (&first["principal"], &first["messages_in"]),
        (&json!(MARKUP), &json!(1))
    );

    watcher
        .send_json(&json!({ "view": { "filter": "carol" } }))
        .await;
    let look = look_where(&mut watcher, |look| look["sessions"]["found"] == 1).await;
    let id = look["sessions"]["rows"][0]["id"].clone();
    watcher.send_json(&json!({ "follow": id })).await;
    let look = look_where(&mut watcher, |look| !look["followed"].is_null()).await;
    assert_eq!(look["followed"]["principal"], "carol");
}

#[tokio::test(start_paused = true)]
async fn events_come_as_they_happen() {
    let host = watching_only();
    let mut watcher = host.connect("/inspect").bearer("letmein").await;
    next(&mut watcher, "hello").await;
    host.connect("/nowhere").expect_rejected(404).await;
    let event = next(&mut watcher, "event").await;
    assert_eq!(event["event"]["error"], "WHARF_NOT_FOUND");
    let mut client = host.connect("/echo").await;
    assert_eq!(
        next(&mut watcher, "event").await["event"]["event"],
        "upgraded"
    );
    client.vanish();
    let closed = next(&mut watcher, "event").await;
    assert_eq!(
        (&closed["event"]["event"], &closed["event"]["code"]),
        (&json!("closed"), &json!(1006))
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_that_was_not_allowed() {
    let host = watching_only();
    let _client = host.connect("/echo").bearer("carol").await;
    let mut watcher = host.connect("/inspect").bearer("letmein").await;
    for action in ["close-session", "disconnect-principal", "publish", "drain"] {
        watcher
            .send_json(&json!({ "act": { "action": action, "on": "carol" } }))
            .await;
        next(&mut watcher, "refused").await;
    }
    assert_eq!(host.app().handle().connections(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_is_closed_and_who_did_it_is_told() {
    let told: Arc<Mutex<Vec<Acted>>> = Arc::default();
    let teller = Arc::clone(&told);
    let inspector = Inspector::new("/inspect")
        .allow(Action::CloseSession)
        .on_action(move |acted| teller.lock().unwrap().push(acted.clone()));
    let host = host(inspector);
    let mut client = host.connect("/echo").bearer("carol").await;
    let mut watcher = host.connect("/inspect").bearer("letmein").await;
    next(&mut watcher, "hello").await;
    watcher
        .send_json(&json!({ "view": { "filter": "carol" } }))
        .await;
    let look = look_where(&mut watcher, |look| look["sessions"]["found"] == 1).await;
    let id = &look["sessions"]["rows"][0]["id"];
    let wish = json!({ "act": { "action": "close-session", "on": id, "text": "bye" } });
    watcher.send_json(&wish).await;
    assert_eq!(next(&mut watcher, "done").await["acted"]["by"], "alice");
    assert_eq!(client.expect_close(1008).await.reason(), "bye");
    let told = told.lock().unwrap();
    assert_eq!((&*told[0].by, told[0].sessions), ("alice", 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_wish_ends_the_socket() {
    let host = watching_only();
    let mut watcher = host.connect("/inspect").bearer("letmein").await;
    next(&mut watcher, "hello").await;
    watcher.send_text("{\"grant\":true}").await;
    loop {
        if let Message::Close(frame) = watcher.next_frame().await.unwrap() {
            break assert_eq!(frame.unwrap().code().as_u16(), 1007);
        }
    }
}
