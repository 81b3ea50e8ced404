//! What may be done from the page, and who hears of it.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod site;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use site::{app, find, host, mount, next, watcher, watching_only};
use wharf_inspector::{Action, Inspector};
use wharf_sdk::{Observer, observer::Intervention};

/// Who did what, as observers are told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Observer for Told {
    fn intervened(&self, intervention: &Intervention<'_>) {
        let Intervention {
            action,
            by,
            sessions,
            ..
        } = intervention;
        let told = format!("{by}: {action} of {sessions}");
        self.0.lock().unwrap().push(told);
    }
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
    let told = Told::default();
    let inspector = Inspector::new("/inspect").allow(Action::CloseSession);
    let host = mount(inspector, app().observer(told.clone()));
    let mut client = host.connect("/echo").bearer("carol").await;
    let mut watcher = watcher(&host).await;
    let id = find(&mut watcher, "carol").await;
    let wish = json!({ "act": { "action": "close-session", "on": id, "text": "bye" } });
    watcher.send_json(&wish).await;
    assert_eq!(next(&mut watcher, "done").await["sessions"], 1);
    assert_eq!(client.expect_close(1008).await.reason(), "bye");
    assert_eq!(*told.0.lock().unwrap(), ["alice: close-session of 1"]);
    let event = loop {
        let event = next(&mut watcher, "event").await["event"].clone();
        if event["event"] == "intervened" {
            break event;
        }
    };
    assert_eq!(event["by"], "alice");
}

#[tokio::test(start_paused = true)]
async fn all_sessions_of_a_principal_are_closed() {
    let host = host(Inspector::new("/inspect").allow(Action::DisconnectPrincipal));
    let mut first = host.connect("/echo").bearer("carol").await;
    let mut second = host.connect("/echo").bearer("carol").await;
    let _other = host.connect("/echo").bearer("dave").await;
    let mut watcher = watcher(&host).await;
    let wish = json!({ "act": { "action": "disconnect-principal", "on": "carol" } });
    watcher.send_json(&wish).await;
    assert_eq!(next(&mut watcher, "done").await["sessions"], 2);
    first.expect_close(1008).await;
    second.expect_close(1008).await;
    assert_eq!(host.app().handle().sessions_of("dave").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_server_is_drained() {
    let host = host(Inspector::new("/inspect").allow(Action::Drain));
    let mut client = host.connect("/echo").bearer("carol").await;
    let mut watcher = watcher(&host).await;
    let wish = json!({ "act": { "action": "drain", "on": "" } });
    watcher.send_json(&wish).await;
    assert_eq!(next(&mut watcher, "done").await["sessions"], 2);
    client.expect_close(1001).await;
    host.connect("/echo").expect_rejected(503).await;
    let report = tokio::time::timeout(
        Duration::from_secs(40),
        host.app().handle().wait_for_shutdown(),
    )
    .await;
    assert_eq!(report.unwrap().sessions, 2);
}
