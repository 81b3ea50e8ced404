//! Histories: one order, and members who come back.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};
use wharf_hub::Position;

use super::{BusHost, Node, nodes};
use crate::bus::Visitor;

fn position(text: &Value) -> (String, u64) {
    let position = text["position"].as_str().expect("a position");
    let (epoch, offset) = position.split_once(':').expect("an epoch and an offset");
    (epoch.to_owned(), offset.parse().expect("a number"))
}

/// Publishes numbers on a node until it is dropped, or up to a count.
async fn publish_numbers(node: &Node, room: &str, speaker: usize, count: u64) {
    let room = node.hub.room(room).expect("a name");
    for number in 0..count {
        let text = json!([speaker, number]).to_string();
        room.publish(text).await.expect("the bus is there");
    }
}

/// All members on all nodes hear one and the same order, whoever publishes where.
pub async fn one_order(host: &dyn BusHost) {
    const COUNT: u64 = 100;
    let (_engine, nodes) = nodes(host, 3).await;
    let mut visitors = Vec::new();
    for node in &nodes {
        visitors.push(node.visit("h-room", "a").await);
        visitors.push(node.visit("h-room", "b").await);
    }
    let speakers = nodes
        .iter()
        .enumerate()
        .map(|(at, node)| publish_numbers(node, "h-room", at, COUNT));
    futures::future::join_all(speakers).await;
    let mut orders = Vec::new();
    for visitor in &mut visitors {
        let mut order = Vec::new();
        for _ in 0..COUNT * nodes.len() as u64 {
            let text = visitor.next().await;
            assert!(text.get("message").is_some(), "{text}");
            order.push((text["message"].clone(), position(&text)));
        }
        assert!(order.is_sorted_by_key(|(_, (_, offset))| *offset));
        orders.push(order);
    }
    for order in &orders[1..] {
        assert_eq!(*order, orders[0], "another order");
    }
}

/// Who comes back hears everything since, once each, in order, before anything live.
pub async fn resumed_whole(host: &dyn BusHost) {
    let (_engine, nodes) = nodes(host, 2).await;
    let last = nodes.len() - 1;
    let alice = nodes[0].visit("h-room", "alice").await;
    let since = alice.welcome["position"].as_str().expect("a position");
    publish_numbers(&nodes[0], "h-room", 0, 50).await;
    let room = format!("h-room?since={since}");
    let mut bob = nodes[last].visit(&room, "bob").await;
    assert_eq!(bob.welcome["resumed"], true, "{}", bob.welcome);
    publish_numbers(&nodes[last], "h-room", 1, 5).await;
    for number in 0..50 {
        assert_eq!(bob.next().await["message"], json!([0, number]));
    }
    for number in 0..5 {
        assert_eq!(bob.next().await["message"], json!([1, number]));
    }
}

/// If anything is gone, nothing is sent, and the current position is told.
pub async fn not_resumed_in_part(host: &dyn BusHost) {
    let (_engine, nodes) = nodes(host, 2).await;
    let last = nodes.len() - 1;
    let mut alice = nodes[0].visit("h-room", "alice").await;
    let since = alice.welcome["position"].as_str().expect("a position");
    let room = format!("h-room?since={since}");
    publish_numbers(&nodes[0], "h-room", 0, 101).await;
    let mut bob = nodes[last].visit(&room, "bob").await;
    assert_eq!(bob.welcome["resumed"], false, "{}", bob.welcome);
    for _ in 0..101 {
        alice.next().await;
    }
    let answer = alice.publish("live").await;
    let (epoch, offset) = position(&answer["published"]);
    let told = bob.next().await;
    assert_eq!(told["message"], "live");
    assert_eq!(position(&told), (epoch.clone(), offset));
    let (told_epoch, told_offset) = position(&bob.welcome);
    assert_eq!(told_epoch, epoch);
    assert!(told_offset < offset);
}

/// Who comes new and asks for it is sent the latest, in order, then what is live; who comes back is sent
/// them only if it is not resumed.
pub async fn recent_first(host: &dyn BusHost) {
    let (_engine, nodes) = nodes(host, 2).await;
    let last = nodes.len() - 1;
    let alice = nodes[0].visit("h-room?recent=10", "alice").await;
    assert_eq!(alice.welcome.get("resumed"), None, "{}", alice.welcome);
    let start = alice.welcome["position"].as_str().expect("a position");
    publish_numbers(&nodes[0], "h-room", 0, 120).await;
    let mut bob = nodes[last].visit("h-room?recent=10", "bob").await;
    assert_eq!(bob.welcome.get("resumed"), None, "{}", bob.welcome);
    let room = format!("h-room?recent=3&since={start}");
    let mut carol = nodes[last].visit(&room, "carol").await;
    assert_eq!(carol.welcome["resumed"], false, "{}", carol.welcome);
    publish_numbers(&nodes[0], "h-room", 1, 1).await;
    for (visitor, first) in [(&mut bob, 110), (&mut carol, 117)] {
        for number in first..120 {
            assert_eq!(visitor.next().await["message"], json!([0, number]));
        }
        assert_eq!(visitor.next().await["message"], json!([1, 0]));
    }
}

/// A position of another history is not resumed from, nor is what is no position at all.
pub async fn unknown_epoch(host: &dyn BusHost) {
    let (_engine, nodes) = nodes(host, 1).await;
    let alice = nodes[0].visit("h-room", "alice").await;
    let (epoch, offset) = position(&alice.welcome);
    for since in [
        format!("{epoch}0:{offset}"),
        format!("{epoch}:{}", offset + 5),
        "nonsense".to_owned(),
        String::new(),
    ] {
        let room = format!("h-room?since={since}");
        let bob = nodes[0].visit(&room, "bob").await;
        assert_eq!(bob.welcome["resumed"], false, "since {since:?}");
        assert_eq!(position(&bob.welcome), (epoch.clone(), offset));
    }
}

/// Members who come and go while others publish: all that they hear together is everything, once.
pub async fn resumed_under_fire(host: &dyn BusHost) {
    const COUNT: u64 = 300;
    let (_engine, nodes) = nodes(host, 2).await;
    let last = nodes.len() - 1;
    let speaking = async {
        for number in 0..COUNT {
            let room = nodes[0].hub.room("h-room").expect("a name");
            room.publish(json!(number).to_string())
                .await
                .expect("the bus is there");
            // So slowly that a hundred outlast an absence.
            sleep(Duration::from_millis(2)).await;
        }
    };
    let hearing = async {
        let mut next = 0;
        let mut since = None;
        while next < COUNT {
            let room = match &since {
                Some(since) => format!("h-room?since={since}"),
                None => "h-room".to_owned(),
            };
            let mut visitor: Visitor = nodes[last].visit(&room, "commuter").await;
            if since.is_some() {
                assert_eq!(visitor.welcome["resumed"], true, "{}", visitor.welcome);
            }
            for _ in 0..20.min(COUNT - next) {
                let text = visitor.next().await;
                if since.is_none() {
                    next = text["message"].as_u64().expect("a number");
                }
                assert_eq!(text["message"], next, "{text} since {since:?}");
                next += 1;
                since = Some(text["position"].as_str().expect("a position").to_owned());
            }
        }
    };
    tokio::join!(speaking, hearing);
}

/// After an outage, what was kept is delivered in order, and there is a gap only for what was not.
pub async fn filled_after_an_outage(host: &dyn BusHost) {
    let (mut engine, nodes) = nodes(host, 2).await;
    if nodes.len() < 2 {
        return;
    }
    let mut alice = nodes[0].visit("h-room", "alice").await;
    let mut bob = nodes[1].visit("h-room", "bob").await;
    let before = bob.publish("before").await;
    alice.until(|text| text["message"] == "before").await;
    engine.kill().await;
    for node in &nodes {
        node.until("down", |stats| !stats.bus.connected).await;
    }
    let answer = bob.publish("lost").await;
    assert_eq!(
        answer["error"]["code"], "WHARF_HUB_NOT_PUBLISHED",
        "{answer}"
    );
    engine.restart().await;
    for node in &nodes {
        node.until("up", |stats| stats.bus.connected).await;
    }
    let answer = bob.publish("after").await;
    let mut was_gap = false;
    let heard = loop {
        let text = alice.next().await;
        if text.get("gap").is_some() {
            was_gap = true;
        } else {
            break text;
        }
    };
    assert_eq!(heard["message"], "after", "{heard}");
    assert_eq!(position(&heard), position(&answer["published"]));
    assert_eq!(was_gap, !engine.keeps_history(), "a gap where it forgot");
    let is_same = position(&before["published"]).0 == position(&heard).0;
    assert_eq!(is_same, engine.keeps_history(), "an epoch for each history");
}

/// What was stored and where, as far as its publishers were told.
type Truth = BTreeMap<u64, BTreeMap<u64, u64>>;

/// What a visit heard, and what it began behind; `None` if it was not told where it was.
struct Heard {
    since: Option<Position>,
    texts: Vec<Value>,
}

impl Heard {
    /// Within an epoch, everything that was stored is there, once and in order, unless a gap was
    /// told.
    fn check(&self, truth: &Truth) {
        let (mut last, mut was_gap) = (self.since, false);
        for text in &self.texts {
            if text.get("gap").is_some() {
                was_gap = true;
            }
            let Some(position) = text["position"].as_str() else {
                continue;
            };
            let position: Position = position.parse().expect("a position");
            let stored = truth.get(&position.epoch);
            if let Some(known) = stored.and_then(|stored| stored.get(&position.offset)) {
                assert_eq!(text["message"], *known, "another message at {position}");
            }
            if let Some(last) = last {
                if last.epoch == position.epoch {
                    assert!(position.offset > last.offset, "{position} after {last}");
                    let hole = last.offset + 1..position.offset;
                    let is_hole = stored.is_some_and(|stored| stored.range(hole).next().is_some());
                    assert!(!is_hole || was_gap, "a hole between {last} and {position}");
                } else {
                    assert!(was_gap, "{position} after {last} without a gap");
                }
            }
            (last, was_gap) = (Some(position), false);
        }
    }
}

/// Members come and go, and stay, while others publish and the engine fails: what is called resumed
/// is whole, and every hole is told.
async fn honest_while(host: &dyn BusHost, is_killed: bool) {
    let (mut engine, nodes) = nodes(host, 2).await;
    if nodes.len() < 2 {
        return;
    }
    let is_over = AtomicBool::new(false);
    let truth = Mutex::new(Truth::new());
    let speaking = async {
        let mut number = 0;
        while !is_over.load(Ordering::Relaxed) {
            for node in &nodes {
                number += 1;
                let room = node.hub.room("h-room").expect("a name");
                if let Ok(published) = room.publish(json!(number).to_string()).await {
                    let position = published.position.expect("a position");
                    let mut truth = truth.lock().expect("no panic");
                    let stored = truth.entry(position.epoch).or_default();
                    let before = stored.insert(position.offset, number);
                    assert_eq!(before, None, "two messages at {position}");
                }
                sleep(Duration::from_millis(5)).await;
            }
        }
    };
    let commuting = async {
        let mut visits = Vec::new();
        let mut since: Option<Position> = None;
        while !is_over.load(Ordering::Relaxed) {
            let node = &nodes[visits.len() % 2];
            let room = since.map_or_else(
                || "h-room".to_owned(),
                |since| format!("h-room?since={since}"),
            );
            let mut visitor = node.visit(&room, "commuter").await;
            let told = visitor.welcome["position"].as_str();
            let told = told.map(|told| told.parse().expect("a position"));
            let begun = if visitor.welcome["resumed"] == true {
                since
            } else {
                told
            };
            let heard = hear_for(&mut visitor, Duration::from_millis(200)).await;
            let last = heard
                .iter()
                .rev()
                .find_map(|text| text["position"].as_str());
            since = last
                .map(|last| last.parse().expect("a position"))
                .or(begun)
                .or(since);
            visits.push(Heard {
                since: begun,
                texts: heard,
            });
        }
        visits
    };
    let failing = async {
        sleep(Duration::from_secs(1)).await;
        if is_killed {
            engine.kill().await;
            sleep(Duration::from_secs(2)).await;
            engine.restart().await;
        } else {
            engine.freeze().await;
            sleep(Duration::from_secs(5)).await;
            engine.thaw().await;
        }
        for node in &nodes {
            node.until("back", |stats| stats.bus.connected).await;
        }
        sleep(Duration::from_secs(2)).await;
        is_over.store(true, Ordering::Relaxed);
    };
    let mut steady = Vec::new();
    for node in &nodes {
        steady.push(node.visit("h-room", "steady").await);
    }
    let ((), visits, ()) = tokio::join!(speaking, commuting, failing);
    let truth = truth.into_inner().expect("no panic");
    let resumed = visits.len();
    for visit in visits {
        visit.check(&truth);
    }
    let stored: usize = truth.values().map(BTreeMap::len).sum();
    assert!(
        resumed > 5 && stored > 50,
        "{resumed} visits, {stored} stored"
    );
    // What was stored last has the highest number.
    let ends = truth.iter().filter_map(|(&epoch, stored)| {
        let (&offset, number) = stored.last_key_value()?;
        Some((number, Position { epoch, offset }))
    });
    let (_, end) = ends.max_by_key(|(number, _)| *number).expect("a message");
    for mut visitor in steady {
        let since = visitor.welcome["position"].as_str().expect("a position");
        let since: Position = since.parse().expect("a position");
        let mut texts = Vec::new();
        let mut is_over = false;
        while !is_over {
            let text = visitor.next().await;
            is_over = text["position"].as_str().is_some_and(|position| {
                let position: Position = position.parse().expect("a position");
                position.epoch == end.epoch && position.offset >= end.offset
            });
            texts.push(text);
        }
        let heard = Heard {
            since: Some(since),
            texts,
        };
        heard.check(&truth);
    }
}

/// Everything that comes until it has been quiet, or this long has passed.
async fn hear_for(visitor: &mut Visitor, time: Duration) -> Vec<Value> {
    let mut heard = Vec::new();
    let end = Instant::now() + time;
    while let Ok(text) = timeout_at(end, visitor.next()).await {
        heard.push(text);
    }
    heard
}

/// Nobody is told that everything came when it did not, though the engine dies and comes back.
pub async fn honest_when_the_engine_dies(host: &dyn BusHost) {
    honest_while(host, true).await;
}

/// The same, when it hangs.
pub async fn honest_when_the_engine_hangs(host: &dyn BusHost) {
    honest_while(host, false).await;
}
