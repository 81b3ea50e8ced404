//! `hub-node` as real processes: three nodes on different drivers over real servers, killed and
//! stopped.
#![cfg(all(
    feature = "axum",
    feature = "actix",
    feature = "hyper",
    feature = "redis",
    feature = "nats"
))]

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};
use wharf_conformance::bus::{Server, Visitor};

struct Node {
    child: Child,
    address: String,
}

fn command(driver: &str, bus: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hub-node"));
    command
        .args(["--driver", driver, "--bus", bus, "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl Node {
    async fn start(driver: &str, bus: &str) -> Self {
        let mut child = command(driver, bus).spawn().expect("hub-node starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout"));
        let mut line = String::new();
        let reading = timeout(Duration::from_secs(30), stdout.read_line(&mut line));
        reading.await.expect("a line in time").expect("a line");
        let (scheme, _) = bus.split_once("://").unwrap_or((bus, ""));
        let address = line
            .strip_prefix("listening on ")
            .and_then(|rest| rest.strip_suffix(&format!(" ({driver}, {scheme})\n")))
            .unwrap_or_else(|| panic!("{line:?} says where it listens, and on what"));
        Self {
            address: address.to_owned(),
            child,
        }
    }

    async fn visit(&self, room: &str) -> Visitor {
        Visitor::at(&self.address, room).await
    }

    async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([signal, &id]).status().await;
        assert!(sent.expect("kill runs").success());
    }

    async fn stats(&self) -> serde_json::Value {
        let mut line = TcpStream::connect(&self.address).await.expect("it listens");
        let request = b"GET /stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        line.write_all(request).await.expect("it takes a request");
        let mut answer = String::new();
        line.read_to_string(&mut answer).await.expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str(body).expect("figures")
    }
}

/// A node that is killed is missed within thirty seconds, once; one that is told to stop leaves at
/// once.
async fn nodes_end(bus: &str) {
    let (first, second, mut third) = (
        Node::start("axum", bus).await,
        Node::start("actix", bus).await,
        Node::start("hyper", bus).await,
    );
    let mut alice = first.visit("room?presence=1&name=alice").await;
    let mut bob = second.visit("room?name=bob").await;
    let mut carol = third.visit("room?name=carol").await;
    for visitor in [&mut bob, &mut carol] {
        assert!(visitor.members().await.contains(&"alice".to_owned()));
    }
    alice.until(|text| text["joined"]["name"] == "bob").await;
    alice.until(|text| text["joined"]["name"] == "carol").await;
    carol.publish("ahoy").await;
    alice.expect(&json!({ "message": "ahoy" })).await;
    bob.until(|text| text["message"] == "ahoy").await;
    let killed = Instant::now();
    third.child.start_kill().expect("it runs");
    let left = alice.next().await;
    assert_eq!(left["left"]["name"], "carol", "{left}");
    assert!(killed.elapsed() < Duration::from_secs(30));
    assert_eq!(alice.members().await, ["alice", "bob"]);
    // Each node sees for itself whose lease has ended.
    while bob.members().await != ["alice", "bob"] {
        assert!(killed.elapsed() < Duration::from_secs(30), "a ghost");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    second.signal("-TERM").await;
    let left = timeout(Duration::from_secs(5), alice.next()).await;
    assert_eq!(left.expect("told at once")["left"]["name"], "bob");
    let stats = first.stats().await;
    assert_eq!(
        (&stats["members"], &stats["sessions"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(stats["bus"]["connected"], true, "{stats}");
    alice.expect_silence(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_end_on_redis() {
    let arguments = ["--port", "{port}", "--save", ""];
    let server = Server::start("redis-server", "redis-server", &arguments).await;
    nodes_end(&format!("redis://{}", server.address)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_end_on_nats() {
    let arguments = ["-a", "127.0.0.1", "-p", "{port}", "-js", "-sd", "{folder}"];
    let server = Server::start("nats-server", "nats-server", &arguments).await;
    nodes_end(&format!("nats://{}", server.address)).await;
}

/// The names of an object's fields, sorted.
fn fields(value: &Value) -> Vec<&str> {
    let fields = value.as_object().expect("an object").keys();
    fields.map(String::as_str).collect()
}

/// Every text of the interface, field by field, and what is no text of it.
async fn says(driver: &str, bus: &str) {
    let node = Node::start(driver, bus).await;
    // Nodes on the same bus are killed at their end, so each has rooms of its own.
    let (room, kept) = (driver, format!("h-{driver}"));
    let mut alice = node.visit(&format!("{room}?presence=1&name=alice")).await;
    assert_eq!(fields(&alice.welcome), ["node", "session"]);
    let mut bob = node.visit(&format!("{room}?name=bob")).await;
    let who = |name: &str, visitor: &Visitor| json!({ "session": visitor.session(), "name": name });
    alice.expect(&json!({ "joined": who("bob", &bob) })).await;
    bob.say_text(r#"{ "publish": [ 0.10150393806896728, 12345678901234567890123, null ], "id": {"a": 1e-7} }"#)
        .await;
    let heard = alice.next_text().await.expect("a text");
    assert_eq!(
        heard,
        r#"{"message":[ 0.10150393806896728, 12345678901234567890123, null ]}"#
    );
    assert_eq!(bob.next_text().await.as_deref(), Some(&*heard));
    let told = bob.next_text().await.expect("a text");
    assert_eq!(told, r#"{"published":{"id":{"a": 1e-7},"local":2}}"#);
    bob.say(&json!({ "publish": null, "except_me": true }))
        .await;
    bob.expect(&json!({ "published": { "id": null, "local": 1 } }))
        .await;
    alice.expect(&json!({ "message": null })).await;
    for (name, answer) in [
        (
            "x".repeat(5000),
            json!({ "error": { "id": 7, "code": "WHARF_HUB_METADATA" } }),
        ),
        ("robert".to_owned(), Value::Null),
    ] {
        bob.say(&json!({ "rename": name, "id": 7 })).await;
        if !answer.is_null() {
            bob.expect(&answer).await;
        }
    }
    alice
        .expect(&json!({ "renamed": who("robert", &bob) }))
        .await;
    bob.say(&json!({ "leave": true })).await;
    alice.expect(&json!({ "left": who("robert", &bob) })).await;
    bob.say(&json!({ "join": true })).await;
    alice
        .expect(&json!({ "joined": who("robert", &bob) }))
        .await;
    alice.say(&json!({ "members": true })).await;
    let members = alice.next().await;
    for member in members["members"].as_array().expect("a list") {
        assert_eq!(fields(member), ["name", "session", "since"]);
    }
    for junk in [
        "",
        "{",
        "[]",
        "null",
        "{}",
        r#"{"rename":5}"#,
        r#"{"leave":1}"#,
        "\u{feff}{}",
    ] {
        bob.say_text(junk).await;
        let unknown = json!({ "error": { "id": null, "code": "HUB_NODE_UNKNOWN" } });
        bob.expect(&unknown).await;
    }
    let mut stranger = node.visit(&kept).await;
    assert_eq!(fields(&stranger.welcome), ["node", "position", "session"]);
    assert_eq!(stranger.members().await, ["stranger"]);
    let mut back = node
        .visit(&format!(
            "{kept}?since={}",
            stranger.welcome["position"].as_str().expect("a position")
        ))
        .await;
    assert_eq!(
        fields(&back.welcome),
        ["node", "position", "resumed", "session"]
    );
    let published = stranger.publish("kept").await;
    assert_eq!(fields(&published["published"]), ["id", "local", "position"]);
    let position = &published["published"]["position"];
    back.expect(&json!({ "message": "kept", "position": position }))
        .await;
    let mut long =
        Visitor::knock_at(&node.address, &format!("{room}?name={}", "x".repeat(5000))).await;
    long.expect(&json!({ "error": { "id": null, "code": "WHARF_HUB_METADATA" } }))
        .await;
    assert!(long.next().await.is_null(), "closed");
    alice.say(&json!({ "disconnect": "bob" })).await;
    let closed = alice.until(|text| text.get("disconnected").is_some()).await;
    let known = if bus == "local" {
        json!(1)
    } else {
        Value::Null
    };
    assert_eq!(closed, json!({ "disconnected": known }));
    assert!(bob.next().await.is_null(), "closed");
    let stats = node.stats().await;
    let figures = [
        "bus",
        "delivered",
        "dropped",
        "gaps",
        "members",
        "node",
        "published",
        "rooms",
        "sessions",
    ];
    assert_eq!(fields(&stats), figures);
    assert_eq!(
        fields(&stats["bus"]),
        ["connected", "foreign", "subscriptions"]
    );
}

async fn every_driver_says(bus: &str) {
    for driver in ["axum", "actix", "hyper"] {
        says(driver, bus).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_driver_says_the_same_alone() {
    every_driver_says("local").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_driver_says_the_same_on_redis() {
    let arguments = ["--port", "{port}", "--save", ""];
    let server = Server::start("redis-server", "redis-server", &arguments).await;
    every_driver_says(&format!("redis://{}", server.address)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_driver_says_the_same_on_nats() {
    let arguments = ["-a", "127.0.0.1", "-p", "{port}", "-js", "-sd", "{folder}"];
    let server = Server::start("nats-server", "nats-server", &arguments).await;
    every_driver_says(&format!("nats://{}", server.address)).await;
}

/// What cannot work is refused when the program starts, without the password.
async fn refused(bus: &str, code: &str) {
    let ending = command("axum", bus).stderr(Stdio::piped()).output();
    let output = timeout(Duration::from_secs(30), ending).await;
    let output = output.expect("it ends").expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains(code), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn wrong_credentials_are_refused() {
    let arguments = ["--port", "{port}", "--save", "", "--requirepass", "secret"];
    let server = Server::start("redis-server", "redis-server", &arguments).await;
    refused(
        &format!("redis://:hunter2@{}", server.address),
        "WHARF_BUS_AUTH",
    )
    .await;
    let arguments = [
        "-a",
        "127.0.0.1",
        "-p",
        "{port}",
        "--user",
        "a",
        "--pass",
        "b",
    ];
    let server = Server::start("nats-server", "nats-server", &arguments).await;
    refused(
        &format!("nats://a:hunter2@{}", server.address),
        "WHARF_BUS_AUTH",
    )
    .await;
    refused("redis://:hunter2@127.0.0.1:1", "WHARF_BUS_AWAY").await;
    refused("redis://:hunter2@[", "WHARF_BUS_URL").await;
}

#[tokio::test]
async fn nats_without_jetstream_is_refused() {
    let arguments = ["-a", "127.0.0.1", "-p", "{port}"];
    let server = Server::start("nats-server", "nats-server", &arguments).await;
    refused(
        &format!("nats://{}", server.address),
        "WHARF_HUB_CAPABILITY",
    )
    .await;
}
