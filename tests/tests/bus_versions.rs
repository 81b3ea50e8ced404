//! Nodes whose versions do not understand each other, side by side on one engine, as during a deploy.
#![cfg(all(feature = "redis", feature = "nats"))]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use serde_json::json;
use wharf_conformance::bus::{Node, Server};
use wharf_hub::{
    History, Hub, HubObserver, NodeId, RoomName, SessionId,
    bus::{Bus, BusEvent, BusListener, FORMAT, Topic},
};
use wharf_nats::Nats;
use wharf_redis::Redis;

/// What rooms with `h-` keep, see `hub_node`.
const HISTORY: History = History {
    messages: 100,
    age: Duration::from_secs(3600),
};

struct Deaf;

impl BusListener for Deaf {
    fn hear(&self, _: BusEvent) {}
}

#[derive(Clone, Default)]
struct Strangers(Arc<AtomicUsize>);

impl HubObserver for Strangers {
    fn foreign(&self, reason: &'static str) {
        if reason.contains("version") {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Two nodes of this version, and one that says, keeps and enters what only the next can read.
async fn another_version_harms_nobody(east: impl Bus, west: impl Bus, newer: impl Bus) {
    let observer = Strangers::default();
    let east = Node::new(Hub::builder().bus(east).observer(observer.clone()));
    let west = Node::new(Hub::builder().bus(west));
    let mut alice = east.visit("h-room?presence=1", "alice").await;
    let mut bob = west.visit("h-room", "bob").await;
    alice.until(|text| text.get("joined").is_some()).await;
    bob.publish("before").await;
    let before = alice.until(|text| text["message"] == "before").await;
    let before = before["position"].as_str().expect("a position").to_owned();

    let node = NodeId::random();
    newer.attach(node, Arc::new(Deaf));
    newer.beat(Duration::from_secs(10)).await.expect("a lease");
    let frame = Bytes::from([&b"WF"[..], &[FORMAT + 1, 1], &[0x5a; 60]].concat());
    let told = |count| {
        let told = Arc::clone(&observer.0);
        move || told.load(Ordering::Relaxed) >= count
    };
    let room = RoomName::new("h-room").expect("a name");
    let plain = RoomName::new("plain").expect("a name");
    let mut carol = east.visit("plain", "carol").await;
    let mut dave = west.visit("plain", "dave").await;
    for topic in [Topic::App, Topic::Room(plain)] {
        let publishing = newer.publish(&topic, frame.clone());
        publishing.await.expect("carried");
    }
    let session = SessionId {
        node,
        connection: 1,
    };
    let entering = newer.enter(&room, session, frame.clone(), frame.clone());
    entering.await.expect("remembered");
    let appending = newer.append(&room, HISTORY, frame);
    appending.await.expect("stored");
    let is_told = told(4);
    east.until("told", |_| is_told()).await;
    assert!(east.hub.stats().foreign >= 4);

    // Rooms go on.
    carol.publish("ahoy").await;
    dave.expect(&json!({ "message": "ahoy" })).await;
    bob.publish("after").await;
    // What was stored in between cannot be read: that is a gap.
    let gap = alice.next().await;
    assert!(gap.get("gap").is_some(), "{gap}");
    alice.until(|text| text["message"] == "after").await;
    // Nobody is told to be whole who is not, and nobody is there who cannot be read.
    let mut late = east.visit(&format!("h-room?since={before}"), "late").await;
    assert_eq!(late.welcome["resumed"], false, "{}", late.welcome);
    assert_eq!(late.members().await, ["alice", "bob", "late"]);
    let position = late.welcome["position"].as_str().expect("a position");
    let again = west
        .visit(&format!("h-room?since={position}"), "again")
        .await;
    assert_eq!(again.welcome["resumed"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_harms_nobody_on_redis() {
    let arguments = ["--port", "{port}", "--save", ""];
    let server = Server::start("redis-server", "redis-server", &arguments).await;
    let url = format!("redis://{}", server.address);
    let bus = async || Redis::connect(&url).await.expect("it is there");
    another_version_harms_nobody(bus().await, bus().await, bus().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_harms_nobody_on_nats() {
    let arguments = ["-a", "127.0.0.1", "-p", "{port}", "-js", "-sd", "{folder}"];
    let server = Server::start("nats-server", "nats-server", &arguments).await;
    let url = format!("nats://{}", server.address);
    let bus = async || Nats::connect(&url).await.expect("it is there");
    another_version_harms_nobody(bus().await, bus().await, bus().await).await;
}
