//! What somebody who watches is shown.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod site;

use std::time::Duration;

use serde_json::{Value, json};
use site::{MARKUP, find, host, look_where, next, watcher, watching_only};
use wharf_inspector::{Contents, Inspector};
use wharf_sdk::{Message, testing::TestSocket};

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

/// Lines of the next messages that passed: direction, kind, size, text.
async fn passed(watcher: &mut TestSocket, count: usize) -> Vec<Value> {
    let mut lines = Vec::new();
    while lines.len() < count {
        let passed = next(watcher, "passed").await;
        for message in passed["messages"].as_array().unwrap() {
            let fields = ["is_in", "kind", "bytes", "text"];
            lines.push(
                fields
                    .map(|field| message[field].clone())
                    .into_iter()
                    .collect(),
            );
        }
    }
    lines
}

#[tokio::test(start_paused = true)]
async fn a_followed_sessions_messages_pass_by_without_what_is_in_them() {
    let host = watching_only();
    let mut client = host.connect("/echo").bearer("carol").await;
    let mut watcher = watcher(&host).await;
    let id = find(&mut watcher, "carol").await;
    watcher.send_json(&json!({ "follow": id })).await;
    next(&mut watcher, "look").await;
    client.send_text("hello").await;
    client.send_frame(0x82, &[0; 300]).await;
    let lines = passed(&mut watcher, 4).await;
    let line = |is_in, kind, bytes| json!([is_in, kind, bytes, null]);
    let expected = [
        line(true, "text", 5),
        line(true, "binary", 300),
        line(false, "text", 5),
        line(false, "binary", 300),
    ];
    assert!(
        expected.iter().all(|line| lines.contains(line)),
        "{lines:?}"
    );
    watcher.send_json(&json!({ "follow": null })).await;
    next(&mut watcher, "look").await;
    client.send_text("unseen").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    while let Some(Message::Text(text)) = watcher.next_frame().await {
        assert!(!text.contains("\"passed\""), "{text}");
        if text.contains("\"look\"") {
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn contents_are_shown_where_the_app_says_so_cut_and_without_secrets() {
    let contents = Contents::of_routes(["/echo"])
        .at_most_bytes(60)
        .filtered_by(|text| text.replace("carol", "somebody"));
    let host = host(Inspector::new("/inspect").show_contents(contents));
    let mut client = host.connect("/echo").bearer("carol").await;
    let mut watcher = watcher(&host).await;
    let id = find(&mut watcher, "carol").await;
    watcher.send_json(&json!({ "follow": id })).await;
    next(&mut watcher, "look").await;
    let said =
        format!("{{\"password\":\"hunter2\",\"by\":\"carol\",\"is\":\"{MARKUP}\",\"more\":1}}");
    client.send_text(&said).await;
    let shown = passed(&mut watcher, 2).await[0][3].clone();
    let shown = shown.as_str().unwrap();
    assert!(
        shown.starts_with("{\"password\":•••,\"by\":\"somebody\",\"is\":\"<img "),
        "{shown}"
    );
    assert!(shown.ends_with('…'), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn the_last_minutes_are_there_for_who_comes_late() {
    let host = watching_only();
    host.connect("/nowhere").expect_rejected(404).await;
    let _early = host.connect("/echo").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut watcher = watcher(&host).await;
    let seconds = next(&mut watcher, "look").await["seconds"].clone();
    let first = &seconds[0];
    assert_eq!(first["rejections"], json!({ "WHARF_NOT_FOUND": 1 }));
    assert_eq!(
        (&first["connects"], &first["moved"]),
        (&json!(1), &Value::Null)
    );
    assert!(seconds.as_array().unwrap().len() >= 59);
    let mut client = host.connect("/echo").await;
    client.send_text("hello").await;
    let moving = |look: &Value| {
        look["seconds"].as_array().is_some_and(|seconds| {
            seconds
                .iter()
                .any(|second| second["moved"]["messages_in"] == 1)
        })
    };
    look_where(&mut watcher, moving).await;
}
