//! Rooms: who hears what, in which order.

use std::time::Duration;

use futures::StreamExt;
use serde_json::json;
use tokio::time::timeout;
use wharf_hub::Event;
use wharf_sdk::{Configure, Policy, SlowClient};

use super::{BusHost, Node, nodes};

/// Longest wait for a message that must come.
const DEADLINE: Duration = Duration::from_secs(15);

/// Names out of bounds are refused with a typed error, and nothing is joined.
pub async fn names(host: &dyn BusHost) {
    let (_engine, nodes) = nodes(host, 1).await;
    for name in ["%00", "a%0Ab", &"x".repeat(257)] {
        let mut visitor = nodes[0].knock(name, "alice").await;
        visitor
            .expect(&json!({ "error": { "id": null, "code": "WHARF_ROOM_NAME" } }))
            .await;
    }
    assert_eq!(nodes[0].hub.stats().members, 0);
    nodes[0].visit(&"x".repeat(256), "alice").await;
}

/// A message reaches everybody on every node once, and its publisher is told to how many here.
pub async fn publish_reaches_every_node(host: &dyn BusHost) {
    let (_engine, nodes) = nodes(host, 3).await;
    let mut visitors = Vec::new();
    for node in &nodes {
        visitors.push(node.visit("room", "a").await);
        visitors.push(node.visit("room", "b").await);
    }
    let mut stranger = nodes[0].visit("elsewhere", "c").await;
    let answer = visitors[0].publish("ahoy").await;
    assert_eq!(answer["published"]["local"], 1, "{answer}");
    for visitor in &mut visitors[1..] {
        visitor.expect(&json!({ "message": "ahoy" })).await;
    }
    for visitor in &mut visitors {
        visitor.expect_silence(Duration::from_millis(100)).await;
    }
    stranger.expect_silence(Duration::from_millis(100)).await;
}

/// Who is left out hears nothing, and everybody else does, on any node.
pub async fn except_on_any_node(host: &dyn BusHost) {
    let (_engine, nodes) = nodes(host, 2).await;
    let last = nodes.len() - 1;
    let mut alice = nodes[0].visit("room", "alice").await;
    let mut bob = nodes[last].visit("room", "bob").await;
    let room = nodes[0].hub.room("room").expect("a name");
    let bob_session = bob.session().parse().expect("a session");
    let publish = room.publish(r#""not for bob""#);
    publish
        .except_session(bob_session)
        .await
        .expect("the bus is there");
    room.publish(r#""for all""#)
        .await
        .expect("the bus is there");
    alice.expect(&json!({ "message": "not for bob" })).await;
    alice.expect(&json!({ "message": "for all" })).await;
    bob.expect(&json!({ "message": "for all" })).await;
}

/// Everybody hears one publisher's messages in its order.
pub async fn order_of_one_publisher(host: &dyn BusHost) {
    const COUNT: u64 = 500;
    let (_engine, nodes) = nodes(host, 3).await;
    let mut hearing = Vec::new();
    for node in &nodes {
        hearing.push(node.visit("room", "hearing").await);
    }
    let mut speakers = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        let room = node.hub.room("room").expect("a name");
        speakers.push(tokio::spawn(async move {
            for number in 0..COUNT {
                let text = json!([at, number]).to_string();
                room.publish(text).await.expect("the bus is there");
            }
        }));
    }
    for visitor in &mut hearing {
        let mut next = vec![0; nodes.len()];
        for _ in 0..COUNT * nodes.len() as u64 {
            let text = visitor.next().await;
            let at = usize::try_from(text["message"][0].as_u64().expect("a message"));
            let at = at.expect("a speaker");
            assert_eq!(text["message"][1], next[at], "of speaker {at}: {text}");
            next[at] += 1;
        }
    }
    for speaker in speakers {
        speaker.await.expect("no panic");
    }
}

/// Many publishers on one node at once, in many rooms: each room hears each of its own whole and in its
/// order, and of no gap.
pub async fn many_publishers_at_once(host: &dyn BusHost) {
    const ROOMS: usize = 10;
    const SPEAKERS: usize = 8;
    const COUNT: u64 = 50;
    let (_engine, nodes) = nodes(host, 2).await;
    let (near, far) = (&nodes[0], &nodes[nodes.len() - 1]);
    let mut hearing = Vec::new();
    for room in 0..ROOMS {
        let room = far.hub.room(format!("room-{room}")).expect("a name");
        hearing.push(room.subscribe().await.expect("the bus is there"));
    }
    let mut speakers = Vec::new();
    for at in 0..ROOMS * SPEAKERS {
        let room = near.hub.room(format!("room-{}", at % ROOMS));
        let (room, speaker) = (room.expect("a name"), at / ROOMS);
        speakers.push(tokio::spawn(async move {
            for number in 0..COUNT {
                let text = json!([speaker, number]).to_string();
                room.publish(text).await.expect("the bus is there");
            }
        }));
    }
    for subscription in &mut hearing {
        let mut next = [0; SPEAKERS];
        while next.iter().sum::<u64>() < COUNT * SPEAKERS as u64 {
            let event = timeout(DEADLINE, subscription.next()).await;
            let Ok(Some(Event::Message(delivery))) = event else {
                panic!("{event:?} in {}, after {next:?}", subscription.room());
            };
            let text = delivery.message.as_text().expect("text");
            let (speaker, number): (usize, u64) = serde_json::from_str(text).expect("two numbers");
            assert_eq!(number, next[speaker], "of speaker {speaker}: {next:?}");
            next[speaker] += 1;
        }
    }
    for speaker in speakers {
        speaker.await.expect("no panic");
    }
}

/// Joining twice is one membership.
pub async fn twice_is_once(host: &dyn BusHost) {
    let (_engine, nodes) = nodes(host, 1).await;
    let mut alice = nodes[0].visit("room", "alice").await;
    let mut bob = nodes[0].visit("room?presence=1", "bob").await;
    alice.say(&json!({ "join": true })).await;
    alice.say(&json!({ "join": true })).await;
    assert_eq!(alice.members().await, ["alice", "bob"]);
    bob.publish("once").await;
    alice.expect(&json!({ "message": "once" })).await;
    alice.expect_silence(Duration::from_millis(100)).await;
    bob.expect_silence(Duration::from_millis(10)).await;
}

/// Who has left hears nothing, and who has come back hears everything again.
pub async fn leaving_and_coming_back(host: &dyn BusHost) {
    let (_engine, nodes) = nodes(host, 2).await;
    let mut alice = nodes[0].visit("room", "alice").await;
    let mut carol = nodes[0].visit("room", "carol").await;
    let mut bob = nodes[nodes.len() - 1].visit("room?presence=1", "bob").await;
    alice.say(&json!({ "leave": true })).await;
    let left = bob.next().await;
    assert_eq!(left["left"]["session"], alice.session(), "{left}");
    bob.publish("unheard").await;
    // By now it has reached alice's node.
    carol.expect(&json!({ "message": "unheard" })).await;
    alice.say(&json!({ "join": true })).await;
    let joined = bob.next().await;
    assert_eq!(joined["joined"]["session"], alice.session(), "{joined}");
    bob.publish("heard").await;
    alice.expect(&json!({ "message": "heard" })).await;
}

/// A principal's sessions are closed on every node, and nobody else's.
pub async fn disconnect_on_every_node(host: &dyn BusHost) {
    let (_engine, nodes) = nodes(host, 3).await;
    let mut bobs = Vec::new();
    for node in &nodes {
        bobs.push(node.visit("room", "bob").await);
    }
    let mut alice = nodes[0].visit("room", "alice").await;
    alice.say(&json!({ "disconnect": "bob" })).await;
    for bob in &mut bobs {
        assert!(bob.next().await.is_null(), "bob is closed");
    }
    alice.until(|text| text.get("disconnected").is_some()).await;
    alice.expect_silence(Duration::from_millis(100)).await;
    assert_eq!(alice.members().await, ["alice"]);
}

/// A broadcast reaches every session on every node, in whatever room.
pub async fn broadcast_to_every_node(host: &dyn BusHost) {
    let (_engine, nodes) = nodes(host, 2).await;
    let mut visitors = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        visitors.push(node.visit(&format!("room-{at}"), "a").await);
    }
    let text = json!({ "message": "to all" }).to_string();
    nodes[0]
        .hub
        .broadcast(text)
        .await
        .expect("the bus is there");
    for visitor in &mut visitors {
        visitor.expect(&json!({ "message": "to all" })).await;
    }
}

/// A member that does not read delays neither its publisher nor the others, and is told what it
/// missed.
pub async fn slow_member(host: &dyn BusHost) {
    const COUNT: u64 = 60;
    let (_engine, nodes) = nodes(host, 2).await;
    let mut slow = nodes[0].visit("room", "slow").await;
    let mut quick = nodes[0].visit("room", "quick").await;
    let room = nodes[nodes.len() - 1].hub.room("room").expect("a name");
    let line = "x".repeat(64 * 1024);
    for number in 0..COUNT {
        let text = json!([number, line]).to_string();
        room.publish(text).await.expect("the bus is there");
        let heard = quick.next().await;
        assert_eq!(heard["message"][0], number);
    }
    let stats = nodes[0].hub.stats();
    assert!(stats.dropped > 0, "the queue holds a mebibyte: {stats:?}");
    let mut heard = 0;
    let mut missed = 0;
    while heard + missed < COUNT {
        let text = slow.next().await;
        if let Some(gap) = text.get("gap") {
            missed += gap["messages"].as_u64().expect("a known gap");
        } else {
            assert_eq!(
                text["message"][0],
                heard + missed,
                "a hole that was not told"
            );
            heard += 1;
        }
    }
    assert_eq!(missed, nodes[0].hub.stats().dropped);
}

/// What a member misses that does not read is what its route's policy says: the newest, the oldest,
/// or all that comes after it was closed. Its publisher, on another node, waits for none of them.
pub async fn slow_member_under_each_policy(host: &dyn BusHost) {
    const COUNT: u64 = 40;
    let (engine, nodes) = nodes(host, 1).await;
    let is_shared = nodes[0].hub.capabilities().is_shared;
    let line = "x".repeat(64 * 1024);
    for policy in [
        SlowClient::Wait,
        SlowClient::Error,
        SlowClient::DropNewest,
        SlowClient::DropOldest,
        SlowClient::Close,
    ] {
        let node = Node::with_policy(engine.node().await, Policy::new().slow_client(policy));
        let name = format!("{policy:?}");
        let mut slow = node.visit(&name, "slow").await;
        let mut quick = node.visit(&name, "quick").await;
        let from = if is_shared { &nodes[0] } else { &node };
        let room = from.hub.room(name).expect("a name");
        for number in 0..COUNT {
            let text = json!([number, line]).to_string();
            room.publish(text).await.expect("the bus is there");
            assert_eq!(quick.next().await["message"][0], number, "{policy:?}");
        }
        let (mut heard, mut missed) = (Vec::new(), 0);
        while heard.len() as u64 + missed < COUNT {
            let text = slow.next().await;
            if text.is_null() {
                break;
            }
            match text["gap"]["messages"].as_u64() {
                Some(gap) => missed += gap,
                None => heard.push(text["message"][0].as_u64().expect("a number")),
            }
        }
        let count = heard.len() as u64;
        assert!(count < COUNT, "{policy:?}: the queue holds a mebibyte");
        match policy {
            SlowClient::Close => assert_eq!(missed, 0),
            SlowClient::DropOldest => assert_eq!(heard.last(), Some(&(COUNT - 1))),
            _ => assert_eq!(heard, Vec::from_iter(0..count), "{policy:?}"),
        }
        if policy != SlowClient::Close {
            assert_eq!(
                count + missed,
                COUNT,
                "{policy:?}: a hole that was not told"
            );
            assert!(heard.is_sorted(), "{policy:?}");
        }
    }
}

/// A room that nobody is in any more is let go of, on the bus, too.
pub async fn empty_rooms_are_let_go(host: &dyn BusHost) {
    let (_engine, nodes) = nodes(host, 1).await;
    let before = nodes[0].hub.stats().bus.subscriptions;
    for number in 0..20 {
        nodes[0].visit(&format!("room-{number}"), "alice").await;
    }
    nodes[0]
        .until("let go of", |stats| {
            stats.rooms == 0 && stats.sessions == 0 && stats.bus.subscriptions == before
        })
        .await;
}

/// Many rooms come and go at once, and nothing of them stays, on the bus either.
pub async fn many_rooms_come_and_go(host: &dyn BusHost) {
    const COUNT: usize = 300;
    let (_engine, nodes) = nodes(host, 1).await;
    let hub = &nodes[0].hub;
    let before = hub.stats().bus.subscriptions;
    for _ in 0..2 {
        let subscribing = (0..COUNT).map(|number| async move {
            let room = hub.room(format!("room-{number}")).expect("a name");
            room.subscribe().await.expect("the bus is there")
        });
        let subscriptions = futures::future::join_all(subscribing).await;
        assert_eq!(hub.stats().rooms, COUNT);
        assert_eq!(hub.open_rooms("room-", None, COUNT).len(), COUNT);
        drop(subscriptions);
        nodes[0]
            .until("let go of", |stats| {
                stats.rooms == 0 && stats.bus.subscriptions == before
            })
            .await;
        assert!(hub.open_rooms("", None, COUNT).is_empty());
    }
}

/// A subscriber inside the server that falls behind finds a gap in the place of what it missed.
pub async fn subscriber_lags(host: &dyn BusHost) {
    const COUNT: usize = 1_100;
    let (_engine, nodes) = nodes(host, 2).await;
    let here = nodes[0].hub.room("room").expect("a name");
    let there = nodes[nodes.len() - 1].hub.room("room").expect("a name");
    let mut hearing = here.subscribe().await.expect("the bus is there");
    let mut quick = nodes[0].visit("room", "quick").await;
    // It joined, which is told, too.
    for number in 0..COUNT {
        let text = number.to_string();
        there.publish(text).await.expect("the bus is there");
        assert_eq!(quick.next().await["message"], number);
    }
    there.publish("1").await.expect("the bus is there");
    let (mut heard, mut missed) = (0, 0);
    while heard + missed < COUNT + 1 {
        match hearing.next().await.expect("it goes on") {
            Event::Message(_) => heard += 1,
            Event::Gap(gap) => {
                let messages = gap.messages.expect("a known gap");
                missed += usize::try_from(messages).expect("a few");
            }
            _ => {}
        }
    }
    assert!(missed > 0, "it holds 1,024");
    assert_eq!(heard + missed, COUNT + 1);
}
