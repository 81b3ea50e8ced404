//! The bus away, back, and what does not belong on it.

use std::time::{Duration, Instant};

use serde_json::json;
use wharf_hub::RoomName;

use super::{BusHost, Node, nodes};

async fn is_down(node: &Node) {
    node.until("down", |stats| !stats.bus.connected).await;
}

/// While the bus is away, a room without history goes on within its node, and publishers are told.
pub async fn local_goes_on(host: &dyn BusHost) {
    let (mut engine, nodes) = nodes(host, 2).await;
    if nodes.len() < 2 {
        return;
    }
    let mut alice = nodes[0].visit("room", "alice").await;
    let mut bob = nodes[0].visit("room", "bob").await;
    engine.kill().await;
    is_down(&nodes[0]).await;
    let answer = alice.publish("alone").await;
    assert_eq!(answer["error"]["code"], "WHARF_HUB_LOCAL_ONLY", "{answer}");
    bob.expect(&json!({ "message": "alone" })).await;
    // Rooms can be joined all the same.
    let mut carol = nodes[0].visit("another", "carol").await;
    let mut dave = nodes[0].visit("another", "dave").await;
    dave.publish("here").await;
    carol.expect(&json!({ "message": "here" })).await;
}

/// A bus that hangs with its connections open blocks nobody for longer than a deadline.
pub async fn nothing_blocks_when_it_hangs(host: &dyn BusHost) {
    let (engine, nodes) = nodes(host, 2).await;
    if nodes.len() < 2 {
        return;
    }
    let mut alice = nodes[0].visit("room", "alice").await;
    let mut bob = nodes[1].visit("room", "bob").await;
    engine.freeze().await;
    let began = Instant::now();
    alice.publish("into the void").await;
    nodes[0].visit("another", "carol").await;
    let took = began.elapsed();
    engine.thaw().await;
    assert!(took < Duration::from_secs(20), "it took {took:?}");
    nodes[0].until("back", |stats| stats.bus.connected).await;
    nodes[1].until("back", |stats| stats.bus.connected).await;
    alice.publish("hello again").await;
    bob.until(|text| text["message"] == "hello again").await;
}

/// When the bus is back, every member of a room is told a gap, and rooms are whole again.
pub async fn comes_back_with_gaps(host: &dyn BusHost) {
    let (mut engine, nodes) = nodes(host, 2).await;
    if nodes.len() < 2 {
        return;
    }
    let mut alice = nodes[0].visit("room", "alice").await;
    let mut bob = nodes[1].visit("room", "bob").await;
    engine.kill().await;
    is_down(&nodes[0]).await;
    is_down(&nodes[1]).await;
    // Joined while it was away.
    let mut carol = nodes[0].visit("late", "carol").await;
    engine.restart().await;
    alice.expect(&json!({ "gap": { "messages": null } })).await;
    bob.expect(&json!({ "gap": { "messages": null } })).await;
    bob.publish("back").await;
    alice.expect(&json!({ "message": "back" })).await;
    let mut dave = nodes[1].visit("late", "dave").await;
    dave.publish("found you").await;
    carol.until(|text| text["message"] == "found you").await;
}

/// Junk on the bus is counted, and harms nobody.
pub async fn junk_is_counted(host: &dyn BusHost) {
    let (engine, nodes) = nodes(host, 2).await;
    if nodes.len() < 2 {
        return;
    }
    let mut alice = nodes[0].visit("room", "alice").await;
    let mut bob = nodes[1].visit("room", "bob").await;
    let room = RoomName::new("room").expect("a name");
    let mut damaged = b"WF\x01\x01".to_vec();
    damaged.extend([0; 60]);
    for junk in [
        &b""[..],
        b"junk",
        b"{\"message\":1}",
        b"WP1:1\nWF",
        b"WF\xff\x01",
        &damaged,
    ] {
        engine.inject(&room, junk).await;
    }
    alice.publish("still here").await;
    bob.expect(&json!({ "message": "still here" })).await;
    nodes[1].until("counted", |stats| stats.foreign >= 6).await;
    bob.publish("and here").await;
    alice.expect(&json!({ "message": "and here" })).await;
}
