//! One node is cut off while the others go on.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::{BusHost, Engine, Node, Way, nodes};

/// An engine, two nodes beside it, and a third that can be cut off; `None` where none can.
async fn apart(host: &dyn BusHost, lease: Duration) -> Option<(Box<dyn Engine>, Vec<Node>, Way)> {
    let engine = host.start().await;
    let (hub, way) = engine.apart().await?;
    let mut nodes = Vec::new();
    for _ in 0..2 {
        nodes.push(Node::new(engine.node().await.lease(lease)));
    }
    nodes.push(Node::new(hub.lease(lease)));
    Some((engine, nodes, way))
}

/// The others go on as if nothing were, and are told that its members left; it goes on alone; and
/// when it is back, everybody is told so once.
pub async fn the_others_go_on(host: &dyn BusHost) {
    let Some((_engine, nodes, way)) = apart(host, Duration::from_secs(2)).await else {
        return;
    };
    let mut alice = nodes[0].visit("room?presence=1", "alice").await;
    let mut bob = nodes[1].visit("room", "bob").await;
    let mut carol = nodes[2].visit("room", "carol").await;
    let mut dave = nodes[2].visit("room", "dave").await;
    for name in ["bob", "carol", "dave"] {
        alice.until(|text| text["joined"]["name"] == name).await;
    }
    way.cut(nodes[2].hub.node());
    bob.publish("between the two").await;
    alice.expect(&json!({ "message": "between the two" })).await;
    // The link may need a moment to notice.
    nodes[2]
        .until("cut off", |stats| !stats.bus.connected)
        .await;
    let answer = carol.publish("alone").await;
    assert_eq!(answer["error"]["code"], "WHARF_HUB_LOCAL_ONLY", "{answer}");
    dave.expect(&json!({ "message": "alone" })).await;
    let mut left = Vec::new();
    while left.len() < 2 {
        let text = alice.next().await;
        left.push(text["left"]["name"].as_str().expect("a leaving").to_owned());
    }
    left.sort_unstable();
    assert_eq!(left, ["carol", "dave"]);
    alice.expect_silence(Duration::from_secs(1)).await;
    assert_eq!(alice.members().await, ["alice", "bob"]);
    way.mend(nodes[2].hub.node());
    carol.until(|text| text.get("gap").is_some()).await;
    let mut back = Vec::new();
    while back.len() < 2 {
        let text = alice.next().await;
        back.push(
            text["joined"]["name"]
                .as_str()
                .expect("a joining")
                .to_owned(),
        );
    }
    back.sort_unstable();
    assert_eq!(back, ["carol", "dave"]);
    alice.expect_silence(Duration::from_secs(4)).await;
    let all = ["alice", "bob", "carol", "dave"];
    for visitor in [&mut alice, &mut bob, &mut carol] {
        assert_eq!(visitor.members().await, all);
    }
    bob.publish("together").await;
    carol.until(|text| text["message"] == "together").await;
}

/// Cut off for less than a lease, nobody is told that anybody left.
pub async fn shorter_than_a_lease_loses_nobody(host: &dyn BusHost) {
    let Some((_engine, nodes, way)) = apart(host, Duration::from_secs(15)).await else {
        return;
    };
    let mut alice = nodes[0].visit("room?presence=1", "alice").await;
    let mut carol = nodes[2].visit("room?presence=1", "carol").await;
    alice.until(|text| text["joined"]["name"] == "carol").await;
    way.cut(nodes[2].hub.node());
    nodes[2]
        .until("cut off", |stats| !stats.bus.connected)
        .await;
    sleep(Duration::from_secs(1)).await;
    way.mend(nodes[2].hub.node());
    carol.expect(&json!({ "gap": { "messages": null } })).await;
    // Until after the outage counts as over.
    alice.expect_silence(Duration::from_secs(13)).await;
    carol.expect_silence(Duration::from_millis(10)).await;
    assert_eq!(carol.members().await, ["alice", "carol"]);
}

/// With history, a node that was cut off delivers what it missed, once and in order, without a gap.
pub async fn history_is_caught_up_with(host: &dyn BusHost) {
    let Some((_engine, nodes, way)) = apart(host, Duration::from_secs(15)).await else {
        return;
    };
    let mut carol = nodes[2].visit("h-room", "carol").await;
    let room = nodes[0].hub.room("h-room").expect("a name");
    for number in 0..60 {
        if number == 20 {
            way.cut(nodes[2].hub.node());
        }
        let text = number.to_string();
        room.publish(text).await.expect("the bus is there");
    }
    nodes[2]
        .until("cut off", |stats| !stats.bus.connected)
        .await;
    way.mend(nodes[2].hub.node());
    for number in 0..60 {
        let text = carol.next().await;
        assert_eq!(text["message"], number, "{text}");
    }
    carol.expect_silence(Duration::from_millis(500)).await;
    assert_eq!(nodes[2].hub.stats().gaps, 0);
}

/// Nodes that lose the engine at once and find it again one after the other, within two leases,
/// tell nobody that anybody left.
pub async fn an_engine_that_hangs_loses_nobody(host: &dyn BusHost) {
    let (engine, few) = nodes(host, 2).await;
    if few.len() < 2 {
        return;
    }
    drop(few);
    let lease = Duration::from_secs(6);
    let east = Node::new(engine.node().await.lease(lease));
    let west = Node::new(engine.node().await.lease(lease));
    let mut alice = east.visit("room?presence=1", "alice").await;
    let mut bob = west.visit("room?presence=1", "bob").await;
    alice.until(|text| text["joined"]["name"] == "bob").await;
    engine.freeze().await;
    // Longer than a lease.
    sleep(Duration::from_secs(8)).await;
    engine.thaw().await;
    for visitor in [&mut alice, &mut bob] {
        visitor
            .expect(&json!({ "gap": { "messages": null } }))
            .await;
    }
    alice.expect_silence(Duration::from_secs(8)).await;
    bob.expect_silence(Duration::from_millis(10)).await;
    assert_eq!(alice.members().await, ["alice", "bob"]);
}
