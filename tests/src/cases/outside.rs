//! What an app tells of itself.

use serde_json::json;

use crate::{Client, Host, Request, Site};

/// The document has the app's routes, wherever it is mounted; browsers get a page.
pub async fn document(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let document = site.request(Request::plain("GET", "/asyncapi")).await;
    let document = document.expect(200).json();
    assert_eq!(document["asyncapi"], "3.1.0");
    assert_eq!(
        document["channels"]["rooms-room"]["address"],
        "/rooms/{room}"
    );
    let asking = Request::plain("GET", "/asyncapi").with("Accept", "text/html");
    let page = site.request(asking).await.expect(200);
    let kind = page.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("text/html"), "{kind}");
}

/// The inspector's page and its socket are for those with the token.
pub async fn inspector_door(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for request in [
        Request::plain("GET", "/inspect"),
        Request::upgrade("/inspect"),
        inspecting(Request::plain("GET", "/inspect"), "wrong"),
        inspecting(Request::upgrade("/inspect"), "wrong"),
    ] {
        site.request(request).await.expect(401);
    }
    let page = inspecting(Request::plain("GET", "/inspect"), "letmein");
    let page = site.request(page).await.expect(200);
    assert!(page.header("content-security-policy").is_some());
    let foreign = inspecting(Request::upgrade("/inspect"), "letmein");
    let foreign = foreign.with("Origin", "https://evil.example");
    site.request(foreign).await.expect(403);
}

/// It shows a session, follows its messages, and closes it.
pub async fn inspector(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut client = site.open("/greet").await;
    client.expect_text("welcome").await;
    let request = inspecting(Request::upgrade("/inspect"), "letmein");
    let mut watcher = site.open_with(request).await;
    wish(&mut watcher, &json!({ "view": { "filter": "/greet" } })).await;
    let id = loop {
        let look = watcher.expect_json().await;
        if look["sessions"]["found"] == 1 {
            break look["sessions"]["rows"][0]["id"].clone();
        }
    };
    wish(&mut watcher, &json!({ "follow": id })).await;
    while watcher.expect_json().await["followed"].is_null() {}
    client.send_text("followed").await;
    let passed = loop {
        let message = watcher.expect_json().await;
        if message["kind"] == "passed" {
            break message;
        }
    };
    assert_eq!(passed["messages"][0]["bytes"], 8);
    let act = json!({ "act": { "action": "close-session", "on": id, "text": "by hand" } });
    wish(&mut watcher, &act).await;
    client.expect_text("followed").await;
    assert_eq!(client.expect_close_frame(1008).await, "by hand");
}

fn inspecting(request: Request, token: &str) -> Request {
    request.with("Authorization", format!("Bearer {token}"))
}

async fn wish(watcher: &mut Client, wish: &serde_json::Value) {
    watcher.send_text(&wish.to_string()).await;
}
