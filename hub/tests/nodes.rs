//! Rooms of several nodes, over a bus that does everything wrong.

#![allow(clippy::unwrap_used, reason = "what does not hold fails the test")]

mod site;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arbitrary::Unstructured;
use bytes::Bytes;
use tokio::time::sleep;
use wharf_hub::{
    Hub, HubObserver, NodeId, RoomName,
    bus::{Bus, BusEvent, BusListener, Topic},
    testing::{Engine, Faults},
};
use wharf_sdk::{CloseFrame, testing::TestSocket};

use self::site::{Node, settle, text};

fn node(engine: &Engine) -> Node {
    Node::new(Hub::builder().bus(engine.bus()))
}

#[tokio::test(start_paused = true)]
async fn a_message_reaches_other_nodes() {
    let engine = Engine::new();
    let (east, west) = (node(&engine), node(&engine));
    let (mut alice, _) = east.join("alice", "/room").await;
    let (mut bob, _) = west.join("bob", "/room").await;
    alice.send_text("ahoy").await;
    bob.expect_text("ahoy").await;
    alice.expect_text("told 0").await;
    alice.expect_silence(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_left_is_heard_no_more() {
    let engine = Engine::new();
    let (east, _west) = (node(&engine), node(&engine));
    let before = east.stats().bus.subscriptions;
    let (alice, _) = east.join("alice", "/room").await;
    assert_eq!(east.stats().bus.subscriptions, before + 1);
    drop(alice);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(east.stats().bus.subscriptions, before);
}

/// A node on which nobody asks for presence has no lease that could end.
#[tokio::test(start_paused = true)]
async fn a_node_that_only_publishes_is_not_taken_for_gone() {
    #[derive(Clone, Default)]
    struct Gone(Arc<AtomicUsize>);

    impl HubObserver for Gone {
        fn node_gone(&self, _: NodeId) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let engine = Engine::new();
    let gone = Gone::default();
    let east = Node::new(Hub::builder().bus(engine.bus()).observer(gone.clone()));
    let west = node(&engine);
    let (_present, _) = east.join("alice", "/p-room").await;
    let (mut alice, _) = east.join("alice", "/room?gaps=true").await;
    let (mut bob, _) = west.join("bob", "/room").await;
    bob.send_text("ahoy").await;
    alice.expect_text("ahoy").await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(gone.0.load(Ordering::Relaxed), 0);
    // So what it says is still known, and what is lost of it is told.
    engine.set_faults(Faults {
        lose: 1.0,
        ..Faults::default()
    });
    bob.send_text("lost").await;
    settle().await;
    engine.set_faults(Faults::default());
    bob.send_text("heard").await;
    alice.expect_text("gap None").await;
    alice.expect_text("heard").await;
}

#[tokio::test(start_paused = true)]
async fn without_the_bus_a_node_goes_on_alone() {
    let engine = Engine::new();
    let (east, west) = (node(&engine), node(&engine));
    let (mut alice, _) = east.join("alice", "/room?gaps=true").await;
    let (mut bob, _) = east.join("bob", "/room").await;
    let (mut carol, _) = west.join("carol", "/room").await;
    engine.cut_off(east.node());
    settle().await;
    bob.send_text("ahoy").await;
    bob.expect_text("WHARF_HUB_LOCAL_ONLY").await;
    alice.expect_text("ahoy").await;
    // Who comes now hears what happens here at once, and everything later.
    let (mut dave, _) = east.join("dave", "/late").await;
    let (mut erin, _) = west.join("erin", "/late").await;
    engine.reconnect(east.node());
    alice.expect_text("gap None").await;
    carol.send_text("back").await;
    alice.expect_text("back").await;
    erin.send_text("hello").await;
    dave.expect_text("hello").await;
}

#[tokio::test(start_paused = true)]
async fn history_fills_what_an_outage_left_out() {
    let engine = Engine::new();
    let (east, west) = (node(&engine), node(&engine));
    let (mut alice, _) = east.join("alice", "/h-room?gaps=true").await;
    let (mut carol, _) = west.join("carol", "/h-room").await;
    engine.cut_off(east.node());
    for line in ["a", "b", "c"] {
        carol.send_text(line).await;
        carol.expect_text("told 0").await;
    }
    alice.send_text("lost").await;
    alice.expect_text("WHARF_HUB_NOT_PUBLISHED").await;
    engine.reconnect(east.node());
    for line in ["a", "b", "c"] {
        assert!(text(&mut alice).await.ends_with(line));
    }
    engine.cut_off(east.node());
    for line in ["1", "2", "3", "4", "5", "6"] {
        carol.send_text(line).await;
        carol.expect_text("told 0").await;
    }
    engine.reconnect(east.node());
    alice.expect_text("gap None").await;
    for line in ["2", "3", "4", "5", "6"] {
        assert!(text(&mut alice).await.ends_with(line));
    }
}

/// The node is back before its lease ends, so nobody lets it go.
#[tokio::test(start_paused = true)]
async fn who_leaves_during_an_outage_is_told_to_have_left_behind_it() {
    let engine = Engine::new();
    let (east, west) = (node(&engine), node(&engine));
    let (mut alice, _) = east.join("alice", "/p-room?presence=true").await;
    let (bob, _) = west.join("bob", "/p-room").await;
    alice.expect_text("+\"bob\"").await;
    engine.cut_off(west.node());
    settle().await;
    drop(bob);
    sleep(Duration::from_secs(1)).await;
    engine.reconnect(west.node());
    alice.expect_text("-\"bob\"").await;
    alice.expect_silence(Duration::from_secs(30)).await;
}

#[tokio::test(start_paused = true)]
async fn a_killed_node_leaves_no_ghosts() {
    let engine = Engine::new();
    let (east, west) = (node(&engine), node(&engine));
    let (mut alice, _) = east.join("alice", "/p-room?presence=true").await;
    let (mut bob, _) = west.join("bob", "/p-room").await;
    alice.expect_text("+\"bob\"").await;
    bob.send_text("who").await;
    bob.expect_text("who alice,bob").await;
    engine.kill(west.node());
    tokio::time::timeout(Duration::from_secs(30), alice.expect_text("-\"bob\""))
        .await
        .expect("told within 30 s");
    alice.send_text("who").await;
    alice.expect_text("who alice").await;
    alice.expect_silence(Duration::from_secs(15)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_slow_is_welcomed_back_without_a_double() {
    let engine = Engine::new();
    let (east, west) = (node(&engine), node(&engine));
    let (mut alice, _) = east.join("alice", "/p-room?presence=true").await;
    let (mut bob, _) = west.join("bob", "/p-room?presence=true").await;
    alice.expect_text("+\"bob\"").await;
    engine.cut_off(west.node());
    alice.expect_text("-\"bob\"").await;
    engine.reconnect(west.node());
    alice.expect_text("+\"bob\"").await;
    alice.expect_silence(Duration::from_secs(20)).await;
    bob.send_text("who").await;
    bob.expect_text("who alice,bob").await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_forgets_is_told_again() {
    let engine = Engine::new();
    let (east, west) = (node(&engine), node(&engine));
    let (mut alice, _) = east.join("alice", "/p-room?presence=true").await;
    let (mut bob, _) = west.join("bob", "/p-room").await;
    alice.expect_text("+\"bob\"").await;
    for hub in [&east, &west] {
        engine.cut_off(hub.node());
    }
    settle().await;
    engine.forget();
    for hub in [&east, &west] {
        engine.reconnect(hub.node());
    }
    alice.expect_silence(Duration::from_secs(30)).await;
    let (mut carol, _) = node(&engine).join("carol", "/p-room").await;
    carol.send_text("who").await;
    carol.expect_text("who alice,bob,carol").await;
    drop(bob.next_message());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_shuts_down_takes_its_members_with_it() {
    let engine = Engine::new();
    let (east, west) = (node(&engine), node(&engine));
    let (mut alice, _) = east.join("alice", "/p-room?presence=true").await;
    let (_bob, _) = west.join("bob", "/p-room").await;
    alice.expect_text("+\"bob\"").await;
    west.shutdown().await;
    tokio::time::timeout(Duration::from_secs(1), alice.expect_text("-\"bob\""))
        .await
        .expect("told at once");
}

#[tokio::test(start_paused = true)]
async fn junk_is_counted_and_harms_nobody() {
    let engine = Engine::new();
    let (east, west) = (node(&engine), node(&engine));
    let (mut alice, _) = east.join("alice", "/room").await;
    let (mut bob, _) = west.join("bob", "/room").await;
    let room = Topic::Room(RoomName::new("room").unwrap());
    for junk in [
        &b""[..],
        b"junk",
        b"WF\x01\x01aaaaaaaaaaaaaaaa",
        b"WF\x02\x01xxxxxxx",
    ] {
        engine.inject(&room, junk);
        engine.inject(&Topic::App, junk);
    }
    alice.send_text("ahoy").await;
    bob.expect_text("ahoy").await;
    assert_eq!(west.stats().foreign, 8);
}

/// Keeps what it hears.
#[derive(Clone, Default)]
struct Spy(Arc<Mutex<Vec<Bytes>>>);

impl BusListener for Spy {
    fn hear(&self, event: BusEvent) {
        if let BusEvent::Frame { frame, .. } = event {
            self.0.lock().unwrap().push(frame);
        }
    }
}

/// What was said once and comes again, however late: nobody hears a message twice, and nobody comes
/// back, leaves or is called otherwise by it.
#[tokio::test(start_paused = true)]
async fn what_comes_again_changes_nothing() {
    let engine = Engine::new();
    let (east, west) = (node(&engine), node(&engine));
    let room = Topic::Room(RoomName::new("p-room").unwrap());
    let (bus, spy) = (engine.bus(), Spy::default());
    bus.attach(NodeId::random(), Arc::new(spy.clone()));
    bus.subscribe(vec![room.clone()]).await.unwrap();
    let (mut alice, _) = east.join("alice", "/p-room?presence=true").await;
    let (mut bob, _) = west.join("bob", "/p-room").await;
    alice.expect_text("+\"bob\"").await;
    let (carol, _) = west.join("carol", "/p-room").await;
    alice.expect_text("+\"carol\"").await;
    drop(carol);
    alice.expect_text("-\"carol\"").await;
    bob.send_text("once").await;
    alice.expect_text("once").await;
    let heard = spy.0.lock().unwrap().clone();
    assert_eq!(heard.len(), 5, "four notices and a message");
    for frame in heard.iter().chain(heard.iter().rev()) {
        engine.inject(&room, frame.clone());
        sleep(Duration::from_secs(1)).await;
    }
    alice.expect_silence(Duration::from_secs(30)).await;
    alice.send_text("who").await;
    alice.expect_text("who alice,bob").await;
}

#[tokio::test(start_paused = true)]
async fn disconnect_and_broadcast_reach_every_node() {
    let engine = Engine::new();
    let (east, west) = (node(&engine), node(&engine));
    let (mut alice, _) = east.join("alice", "/room").await;
    let (mut twin, _) = west.join("alice", "/other").await;
    let (mut bob, _) = west.join("bob", "/other").await;
    east.broadcast("to all").await.unwrap();
    for socket in [&mut alice, &mut twin, &mut bob] {
        socket.expect_text("to all").await;
    }
    let frame = CloseFrame::new(4000, "bye").unwrap();
    assert_eq!(east.disconnect("alice", frame).await.unwrap(), 1);
    alice.expect_close(4000).await;
    twin.expect_close(4000).await;
    bob.expect_silence(Duration::from_secs(1)).await;
}

/// Everything that a client was sent.
async fn drain(socket: &mut TestSocket) -> Vec<String> {
    let mut heard = Vec::new();
    let patience = Duration::from_secs(5);
    while let Ok(Some(message)) = tokio::time::timeout(patience, socket.next_message()).await {
        heard.push(message.as_text().expect("text").to_owned());
    }
    heard
}

/// Three nodes over a bus that loses, doubles, reorders and is cut off: nobody hears anything twice
/// or out of order, and whoever misses something is told a gap.
async fn nothing_is_doubled_or_missed_in_silence(
    u: &mut Unstructured<'_>,
    room: &str,
) -> arbitrary::Result<()> {
    let engine = Engine::new();
    engine.set_seed(u.arbitrary()?);
    let nodes = [node(&engine), node(&engine), node(&engine)];
    let mut listeners = Vec::new();
    let mut speakers = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let path = format!("/{room}?gaps=true");
        listeners.push(node.join("listener", &path).await.0);
        speakers.push((node.join(&format!("s{index}"), &path).await.0, 0));
    }
    settle().await;
    let chance = |u: &mut Unstructured<'_>| -> arbitrary::Result<f64> {
        Ok(f64::from(u.int_in_range(0..=3u8)?) / 10.0)
    };
    engine.set_faults(Faults {
        lose: chance(u)?,
        double: chance(u)?,
        reorder: chance(u)?,
        delay: Duration::from_millis(u.int_in_range(0..=20)?),
    });
    for _ in 0..u.int_in_range(5..=40)? {
        let at = u.choose_index(3)?;
        match u.int_in_range(0..=9)? {
            0 => engine.cut_off(nodes[at].node()),
            1 => engine.reconnect(nodes[at].node()),
            2 => sleep(Duration::from_millis(u.int_in_range(1..=3000)?)).await,
            _ => {
                let (speaker, count) = &mut speakers[at];
                *count += 1;
                speaker.send_text(&format!("{at}/{count}")).await;
                sleep(Duration::from_millis(u.int_in_range(0..=50)?)).await;
            }
        }
    }
    engine.set_faults(Faults::default());
    for node in &nodes {
        engine.reconnect(node.node());
    }
    sleep(Duration::from_secs(10)).await;
    // What is last is told at the next message at the latest.
    for (at, (speaker, count)) in speakers.iter_mut().enumerate() {
        *count += 1;
        speaker.send_text(&format!("{at}/{count}")).await;
    }
    for listener in &mut listeners {
        let heard = drain(listener).await;
        let mut last: HashMap<&str, u32> = HashMap::new();
        let mut last_offset = None;
        let mut was_gap = false;
        for line in &heard {
            if line.starts_with("gap") {
                was_gap = true;
                // A gap is of the room, not of one speaker.
                for value in last.values_mut() {
                    *value |= 1 << 31;
                }
                continue;
            }
            let (position, said) = match line.split_once(' ') {
                Some((position, said)) => (Some(position), said),
                None => (None, &**line),
            };
            if let Some(position) = position {
                let offset: u64 = position.split_once(':').unwrap().1.parse().unwrap();
                if let Some(last) = last_offset {
                    assert!(offset > last, "{heard:?}");
                    assert!(offset == last + 1 || was_gap, "{heard:?}");
                }
                last_offset = Some(offset);
                was_gap = false;
            }
            let (speaker, number) = said.split_once('/').unwrap();
            let number: u32 = number.parse().unwrap();
            if let Some(last) = last.insert(speaker, number) {
                let (gap, before) = (last >> 31 == 1, last & !(1 << 31));
                assert!(number > before, "{said} in {heard:?}");
                // In a room with history, what could not be stored has no position to be missed.
                assert!(
                    number == before + 1 || gap || position.is_some(),
                    "{said} in {heard:?}"
                );
            }
        }
    }
    Ok(())
}

fn hold(room: &'static str) {
    arbtest::arbtest(|u| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(nothing_is_doubled_or_missed_in_silence(u, room))
    })
    .size_min(64)
    .size_max(1024)
    .budget_ms(3000);
}

#[test]
fn nothing_is_doubled_or_missed_in_silence_without_history() {
    hold("room");
}

#[test]
fn nothing_is_doubled_or_missed_in_silence_with_history() {
    hold("h-room");
}

#[tokio::test(start_paused = true)]
async fn nodes_that_come_back_one_after_the_other_lose_nobody() {
    let engine = Engine::new();
    let (east, west) = (node(&engine), node(&engine));
    let (mut alice, _) = east.join("alice", "/p-room?presence=true").await;
    let (mut bob, _) = west.join("bob", "/p-room?presence=true").await;
    alice.expect_text("+\"bob\"").await;
    engine.cut_off_all();
    // Longer than a lease, and shorter than two.
    sleep(Duration::from_secs(15)).await;
    engine.reconnect(east.node());
    sleep(Duration::from_secs(4)).await;
    engine.reconnect(west.node());
    alice.expect_silence(Duration::from_secs(40)).await;
    bob.expect_silence(Duration::from_secs(1)).await;
    alice.send_text("who").await;
    alice.expect_text("who alice,bob").await;
}

#[tokio::test(start_paused = true)]
async fn who_is_killed_during_an_outage_is_gone_in_time() {
    let engine = Engine::new();
    let (east, west) = (node(&engine), node(&engine));
    let (mut alice, _) = east.join("alice", "/p-room?presence=true").await;
    let (_bob, _) = west.join("bob", "/p-room").await;
    alice.expect_text("+\"bob\"").await;
    engine.cut_off_all();
    engine.kill(west.node());
    sleep(Duration::from_secs(19)).await;
    engine.reconnect(east.node());
    tokio::time::timeout(Duration::from_secs(11), alice.expect_text("-\"bob\""))
        .await
        .expect("told within 30 s");
    alice.expect_silence(Duration::from_secs(30)).await;
}

#[tokio::test(start_paused = true)]
async fn who_left_during_an_outage_is_told_once() {
    let engine = Engine::new();
    let (east, west) = (node(&engine), node(&engine));
    let (mut alice, _) = east.join("alice", "/p-room?presence=true").await;
    let (bob, _) = west.join("bob", "/p-room").await;
    let (_carol, _) = west.join("carol", "/p-room").await;
    alice.expect_text("+\"bob\"").await;
    alice.expect_text("+\"carol\"").await;
    engine.cut_off_all();
    settle().await;
    drop(bob);
    sleep(Duration::from_secs(5)).await;
    engine.reconnect_all();
    alice.expect_text("-\"bob\"").await;
    alice.expect_silence(Duration::from_secs(40)).await;
}
