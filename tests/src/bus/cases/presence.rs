//! Presence: who is told to be there.

use std::time::Duration;

use serde_json::json;

use super::{BusHost, Node, nodes};
use crate::bus::PATIENCE;

/// Everybody is listed on every node, and changes are told once.
pub async fn snapshot_and_changes(host: &dyn BusHost) {
    let (_engine, nodes) = nodes(host, 3).await;
    let last = nodes.len() - 1;
    let mut alice = nodes[0].visit("room?presence=1", "alice").await;
    let mut bob = nodes[last].visit("room", "bob").await;
    let told = json!({ "session": bob.session(), "name": "bob" });
    alice.expect(&json!({ "joined": told })).await;
    assert_eq!(alice.members().await, ["alice", "bob"]);
    assert_eq!(bob.members().await, ["alice", "bob"]);
    bob.say(&json!({ "rename": "robert" })).await;
    let told = json!({ "session": bob.session(), "name": "robert" });
    alice.expect(&json!({ "renamed": told })).await;
    assert_eq!(alice.members().await, ["alice", "robert"]);
    let mut carol = nodes[nodes.len() / 2].visit("room", "carol").await;
    assert_eq!(carol.members().await, ["alice", "carol", "robert"]);
    let told = json!({ "session": carol.session(), "name": "carol" });
    alice.expect(&json!({ "joined": told })).await;
    alice.expect_silence(Duration::from_millis(300)).await;
}

/// A session's id is one of its own on all nodes, and the one under which others see its member.
pub async fn ids_are_unique_over_nodes(host: &dyn BusHost) {
    let (_engine, nodes) = nodes(host, 3).await;
    let mut visitors = Vec::new();
    // Sessions of the same numbers on every node.
    for _ in 0..8 {
        for node in &nodes {
            visitors.push(node.visit("room", "twin").await);
        }
    }
    let mut welcomed: Vec<_> = visitors
        .iter()
        .map(|visitor| visitor.session().to_owned())
        .collect();
    welcomed.sort_unstable();
    let mut unique = welcomed.clone();
    unique.dedup();
    assert_eq!(unique, welcomed);
    for visitor in &mut visitors {
        // Until the last who came has been heard of everywhere.
        let mut seen = Vec::new();
        while seen.len() < welcomed.len() {
            visitor.say(&json!({ "members": true })).await;
            let answer = visitor.until(|text| text.get("members").is_some()).await;
            let members = answer["members"].as_array().expect("a list").iter();
            seen = members
                .filter_map(|member| Some(member["session"].as_str()?.to_owned()))
                .collect();
        }
        seen.sort_unstable();
        assert_eq!(seen, welcomed);
    }
}

/// Whatever ends a session, its member leaves, once.
pub async fn ends_with_the_session(host: &dyn BusHost) {
    let (_engine, nodes) = nodes(host, 2).await;
    let mut alice = nodes[0].visit("room?presence=1", "alice").await;
    for number in 0..5 {
        let bob = nodes[nodes.len() - 1].visit("room", "bob").await;
        let session = bob.session().to_owned();
        let joined = alice.next().await;
        assert_eq!(joined["joined"]["session"], session, "round {number}");
        drop(bob);
        let left = alice.next().await;
        assert_eq!(left["left"]["session"], session, "round {number}");
    }
    assert_eq!(alice.members().await, ["alice"]);
}

/// A node that shuts down takes its members with it, at once.
pub async fn node_shuts_down(host: &dyn BusHost) {
    let (engine, few) = nodes(host, 2).await;
    if few.len() < 2 {
        return;
    }
    drop(few);
    // So long that it is not the end of a lease that tells.
    let lease = 4 * PATIENCE;
    let east = Node::new(engine.node().await.lease(lease));
    let west = Node::new(engine.node().await.lease(lease));
    let mut alice = east.visit("room?presence=1", "alice").await;
    let _bob = west.visit("room", "bob").await;
    alice.until(|text| text.get("joined").is_some()).await;
    west.hub.shutdown().await;
    let left = alice.next().await;
    assert_eq!(left["left"]["name"], "bob", "{left}");
    alice.expect_silence(Duration::from_secs(3)).await;
    assert_eq!(alice.members().await, ["alice"]);
}

/// An engine that dies and comes back, having forgotten or not, leaves neither ghosts nor holes.
pub async fn survives_the_engine(host: &dyn BusHost) {
    let (mut engine, nodes) = nodes(host, 2).await;
    if nodes.len() < 2 {
        return;
    }
    let mut alice = nodes[0].visit("room?presence=1", "alice").await;
    let bob = nodes[1].visit("room", "bob").await;
    let mut carol = nodes[1].visit("room", "carol").await;
    for _ in 0..2 {
        alice.until(|text| text.get("joined").is_some()).await;
    }
    engine.kill().await;
    for node in &nodes {
        node.until("down", |stats| !stats.bus.connected).await;
    }
    let session = bob.session().to_owned();
    drop(bob);
    engine.restart().await;
    for node in &nodes {
        node.until("up", |stats| stats.bus.connected).await;
    }
    // After an outage of more than two leases the others had left, too, and come back.
    alice
        .until(|text| text["left"]["session"] == *session)
        .await;
    // Long enough for leases to end and for everybody to have told again.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(alice.members().await, ["alice", "carol"]);
    assert_eq!(carol.members().await, ["alice", "carol"]);
    let mut dave = nodes[0].visit("room", "dave").await;
    assert_eq!(dave.members().await, ["alice", "carol", "dave"]);
}
