//! A host with an inspector, and what a page says and hears.

// Each test file uses some of it.
#![allow(dead_code, unreachable_pub)]

use serde_json::Value;
use wharf_inspector::Inspector;
use wharf_sdk::{
    App, AppBuilder, Principal, Result, Route, Socket,
    middleware::bearer,
    testing::{TestHost, TestSocket},
};

/// What a page must show and not run.
pub const MARKUP: &str = "<img src=x onerror=alert(1)>";

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

pub fn app() -> AppBuilder {
    App::builder().route(Route::new("/echo", echo).middleware(bearer(anybody)))
}

pub fn mount(inspector: Inspector, app: AppBuilder) -> TestHost {
    let inspector = inspector.verified_by(verify).require_scopes(["ops"]);
    TestHost::new(inspector.mount(app).build().unwrap())
}

pub fn host(inspector: Inspector) -> TestHost {
    mount(inspector, app())
}

pub fn watching_only() -> TestHost {
    host(Inspector::new("/inspect"))
}

/// Somebody who watches, and has been greeted.
pub async fn watcher(host: &TestHost) -> TestSocket {
    let mut watcher = host.connect("/inspect").bearer("letmein").await;
    assert_eq!(next(&mut watcher, "hello").await["who"], "alice");
    watcher
}

/// The next message of this kind.
pub async fn next(watcher: &mut TestSocket, kind: &str) -> Value {
    loop {
        let message: Value = watcher.expect_json().await;
        if message["kind"] == kind {
            return message;
        }
    }
}

/// The next look of which this holds.
pub async fn look_where(watcher: &mut TestSocket, holds: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..100 {
        let look = next(watcher, "look").await;
        if holds(&look) {
            return look;
        }
    }
    panic!("no look is like this");
}

/// The id of the one session that the filter finds.
pub async fn find(watcher: &mut TestSocket, filter: &str) -> Value {
    let wish = serde_json::json!({ "view": { "filter": filter } });
    watcher.send_json(&wish).await;
    let look = look_where(watcher, |look| look["sessions"]["found"] == 1).await;
    look["sessions"]["rows"][0]["id"].clone()
}
