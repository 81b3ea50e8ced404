//! Rooms of one process.

#![allow(clippy::unwrap_used, reason = "what does not hold fails the test")]

mod site;

use std::time::Duration;

use futures::StreamExt;
use wharf_hub::{Event, Hub, RoomName, RoomOptions};
use wharf_sdk::{
    App, CloseFrame, Configure, Result, Route, SlowClient, Socket, State, WebSocketExt,
    testing::TestHost,
};

use self::site::{Node, settle, text};

fn local() -> Node {
    Node::new(Hub::builder())
}

#[tokio::test(start_paused = true)]
async fn a_message_reaches_all_but_the_one_left_out() {
    let node = local();
    let (mut alice, _) = node.join("alice", "/room").await;
    let (mut bob, _) = node.join("bob", "/room").await;
    let (mut carol, _) = node.join("carol", "/other").await;
    alice.send_text("ahoy").await;
    alice.expect_text("told 1").await;
    bob.expect_text("ahoy").await;
    carol.expect_silence(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_left_costs_nothing() {
    let node = local();
    let (alice, _) = node.join("alice", "/room").await;
    assert_eq!((node.stats().rooms, node.stats().members), (1, 1));
    drop(alice);
    settle().await;
    let stats = node.stats();
    assert_eq!((stats.rooms, stats.members, stats.sessions), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn history_is_resumed_whole_or_not_at_all() {
    let node = local();
    let (mut alice, welcome) = node.join("alice", "/h-room").await;
    let start = welcome.rsplit(' ').next().unwrap().to_owned();
    for line in ["a", "b", "c"] {
        alice.send_text(line).await;
        alice.expect_text("told 0").await;
    }
    let (mut bob, welcome) = node.join("bob", &format!("/h-room?since={start}")).await;
    assert!(welcome.starts_with("welcome Some(true)"), "{welcome}");
    for line in ["a", "b", "c"] {
        assert!(text(&mut bob).await.ends_with(line));
    }
    for line in ["d", "e", "f"] {
        alice.send_text(line).await;
        assert!(text(&mut bob).await.ends_with(line));
    }
    let (mut carol, welcome) = node.join("carol", &format!("/h-room?since={start}")).await;
    assert!(welcome.starts_with("welcome Some(false)"), "{welcome}");
    carol.expect_silence(Duration::from_secs(1)).await;
    let elsewhere = start.replace(':', "0:");
    let (_dave, welcome) = node
        .join("dave", &format!("/h-room?since={elsewhere}"))
        .await;
    assert!(welcome.starts_with("welcome Some(false)"), "{welcome}");
}

#[tokio::test(start_paused = true)]
async fn who_comes_is_sent_what_was_said_last() {
    let node = local();
    let (mut alice, welcome) = node.join("alice", "/h-room?recent=3").await;
    assert!(welcome.starts_with("welcome None"), "{welcome}");
    let start = welcome.rsplit(' ').next().unwrap().to_owned();
    for line in ["a", "b", "c", "d"] {
        alice.send_text(line).await;
        alice.expect_text("told 0").await;
    }
    let (mut bob, welcome) = node.join("bob", "/h-room?recent=3").await;
    assert!(welcome.starts_with("welcome None"), "{welcome}");
    let position = welcome.rsplit(' ').next().unwrap().to_owned();
    let mut last = String::new();
    for line in ["b", "c", "d"] {
        last = text(&mut bob).await;
        assert!(last.ends_with(line), "{last}");
    }
    assert!(last.starts_with(&position), "the latest is where it stands");
    alice.send_text("e").await;
    alice.expect_text("told 1").await;
    assert!(text(&mut bob).await.ends_with('e'));
    // Resumed, it is sent everything since and nothing besides; not resumed, the latest.
    let path = format!("/h-room?recent=1&since={position}");
    let (mut carol, welcome) = node.join("carol", &path).await;
    assert!(welcome.starts_with("welcome Some(true)"), "{welcome}");
    assert!(text(&mut carol).await.ends_with('e'));
    alice.send_text("f").await;
    for member in [&mut bob, &mut carol] {
        assert!(text(member).await.ends_with('f'));
        member.expect_silence(Duration::from_secs(1)).await;
    }
    let path = format!("/h-room?recent=2&since={start}");
    let (mut dave, welcome) = node.join("dave", &path).await;
    assert!(welcome.starts_with("welcome Some(false)"), "{welcome}");
    for line in ["e", "f"] {
        assert!(text(&mut dave).await.ends_with(line));
    }
    dave.expect_silence(Duration::from_secs(1)).await;
    let (mut erin, _) = node.join("erin", "/room?recent=5").await;
    erin.expect_silence(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn presence_is_told_once_each() {
    let node = local();
    let (mut alice, _) = node.join("alice", "/p-room?presence=true").await;
    let (mut bob, _) = node.join("bob", "/p-room").await;
    alice.expect_text("+\"bob\"").await;
    bob.send_text("who").await;
    bob.expect_text("who alice,bob").await;
    drop(bob);
    alice.expect_text("-\"bob\"").await;
    alice.send_text("who").await;
    alice.expect_text("who alice").await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_member_delays_nobody_and_is_told_what_it_missed() {
    let node = local();
    let (mut alice, _) = node.join("alice", "/room").await;
    let (mut slow, _) = node.join("slow", "/room?gaps=true").await;
    let (mut bob, _) = node.join("bob", "/room").await;
    let line = "x".repeat(64 * 1024);
    for _ in 0..40 {
        alice.send_text(&line).await;
        text(&mut alice).await;
        assert_eq!(text(&mut bob).await.len(), line.len());
    }
    let dropped = node.stats().dropped;
    assert!(dropped > 0);
    for _ in 0..40 - dropped {
        assert_eq!(text(&mut slow).await.len(), line.len());
    }
    slow.expect_text(&format!("gap Some({dropped})")).await;
    alice.send_text("on we go").await;
    slow.expect_text("on we go").await;
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_lags_finds_a_gap_in_its_place() {
    let hub = Hub::local();
    let room = hub.room("room").unwrap();
    let mut hearing = room.subscribe().await.unwrap();
    for number in 0..1030 {
        room.publish(number.to_string()).await.unwrap();
    }
    for _ in 0..1024 {
        assert!(matches!(hearing.next().await, Some(Event::Message(_))));
    }
    room.publish("last").await.unwrap();
    let Some(Event::Gap(gap)) = hearing.next().await else {
        panic!("expected a gap");
    };
    assert_eq!(gap.messages, Some(6));
    assert!(matches!(hearing.next().await, Some(Event::Message(_))));
}

#[tokio::test(start_paused = true)]
async fn a_principal_is_disconnected() {
    let node = local();
    let (mut alice, _) = node.join("alice", "/room").await;
    let (_bob, _) = node.join("bob", "/room").await;
    let frame = CloseFrame::new(4000, "bye").unwrap();
    assert_eq!(node.disconnect("alice", frame).await.unwrap(), 1);
    alice.expect_close(4000).await;
    settle().await;
    assert_eq!(node.stats().members, 1);
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_refused() {
    let options = RoomOptions::new().with_history(0, Duration::from_secs(1));
    assert_eq!(
        Hub::builder().rooms(options).build().unwrap_err().code(),
        "WHARF_CONFIG"
    );
    let hub = Hub::local();
    assert_eq!(hub.room("").unwrap_err().code(), "WHARF_ROOM_NAME");
    let members = hub.room("room").unwrap().members().await;
    assert_eq!(members.unwrap_err().code(), "WHARF_HUB_NO_PRESENCE");
}

#[tokio::test(start_paused = true)]
async fn open_rooms_are_listed_page_by_page() {
    let node = local();
    let mut guests = Vec::new();
    for name in ["c", "a", "p-b", "d"] {
        guests.push(node.join("alice", &format!("/{name}")).await.0);
    }
    let names = |prefix, after: Option<&str>, limit| -> Vec<String> {
        let after = after.map(|name| RoomName::new(name).unwrap());
        let page = node.open_rooms(prefix, after.as_ref(), limit);
        page.iter().map(|room| room.name.to_string()).collect()
    };
    assert_eq!(names("", None, 3), ["a", "c", "d"]);
    assert_eq!(names("", Some("d"), 3), ["p-b"]);
    assert_eq!(names("p-", None, 3), ["p-b"]);
    assert!(names("", None, 0).is_empty());
    drop(guests);
    settle().await;
    assert!(names("", None, 3).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_room_says_how_it_is_without_asking_anybody() {
    let node = local();
    let (mut alice, _) = node.join("alice", "/p-room").await;
    let (mut slow, _) = node.join("slow", "/p-room").await;
    let _hearing = node.room("p-room").unwrap().subscribe().await.unwrap();
    for _ in 0..40 {
        alice.send_text(&"x".repeat(64 * 1024)).await;
        text(&mut alice).await;
    }
    let room = node.open_rooms("", None, 1).remove(0);
    let counts = (room.seats, room.subscriptions, room.members);
    assert_eq!(counts, (2, 1, Some(2)), "{room:?}");
    assert_eq!((room.messages, room.gaps), (40, 1), "{room:?}");
    assert_eq!(room.dropped, node.stats().dropped);
    assert_eq!(room.position, None);
    let names = |limit| -> Option<Vec<String>> {
        let members = node.known_members(&room.name, limit)?;
        let names = members.iter().map(|member| member.metadata.to_string());
        Some(names.collect())
    };
    let mut all = names(9).unwrap();
    all.sort_unstable();
    assert_eq!(all, [r#""alice""#, r#""slow""#]);
    assert_eq!(names(1).unwrap().len(), 1);
    assert_eq!(node.known_members(&RoomName::new("none").unwrap(), 1), None);
    text(&mut slow).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_sits_in_so_many_rooms_and_no_more() {
    async fn collect(State(hub): State<Hub>, mut socket: Socket) -> Result<()> {
        let mut seats = Vec::new();
        while let Some(name) = socket.read_text().await? {
            let answer = match hub.room(&name)?.join(&socket).await {
                Ok(seat) => {
                    seats.push(seat);
                    "welcome".to_owned()
                }
                Err(error) => error.to_string(),
            };
            socket.write(answer).await?;
            if name.contains("last") {
                seats.pop();
            }
        }
        Ok(())
    }
    let hub = Hub::builder().rooms_per_session(2).build().unwrap();
    let app = App::builder()
        .state(hub.clone())
        .route(Route::new("/", collect));
    let host = TestHost::new(app.build().unwrap());
    let mut alice = host.connect("/").await;
    for room in ["a", "b", "a"] {
        alice.send_text(room).await;
        alice.expect_text("welcome").await;
    }
    alice.send_text("c").await;
    let refusal = text(&mut alice).await;
    assert!(refusal.contains("at most 2 rooms"), "{refusal}");
    assert_eq!((hub.stats().members, hub.stats().rooms), (2, 2));
    // Another session has its own count, and a room that was left is free again.
    let mut bob = host.connect("/").await;
    for room in ["a", "last", "last"] {
        bob.send_text(room).await;
        bob.expect_text("welcome").await;
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_is_bounded() {
    async fn visit(State(hub): State<Hub>, mut socket: Socket) -> Result<()> {
        let room = hub.room("p-room")?;
        let mut seat = None;
        while let Some(metadata) = socket.read_text().await? {
            let done = match &seat {
                None => room.join(&socket).with(&*metadata).await.map(|taken| {
                    seat = Some(taken);
                }),
                Some(seat) => seat.update(&*metadata).await,
            };
            let answer = done.map_or_else(|error| error.code().to_owned(), |()| "ok".to_owned());
            socket.write(answer).await?;
        }
        Ok(())
    }
    let present = RoomOptions::new().with_presence();
    let hub = Hub::builder().rooms(present).build().unwrap();
    let app = App::builder()
        .state(hub.clone())
        .route(Route::new("/", visit));
    let host = TestHost::new(app.build().unwrap());
    let mut alice = host.connect("/").await;
    // As JSON it has two quotation marks more.
    let (longest, too_long) = ("x".repeat(4094), "x".repeat(4095));
    for (metadata, answer) in [
        (&too_long, "WHARF_HUB_METADATA"),
        (&longest, "ok"),
        (&too_long, "WHARF_HUB_METADATA"),
        (&longest, "ok"),
    ] {
        alice.send_text(metadata).await;
        alice.expect_text(answer).await;
    }
    let members = hub.room("p-room").unwrap().members().await.unwrap();
    assert_eq!(members[0].metadata, *longest);
}

/// Publishes 40 times 64 KiB to a member that does not read, under a policy; the publisher never
/// waits. Returns what the member hears afterwards: numbers, and how many it was told to have
/// missed.
async fn flood(policy: SlowClient) -> (Vec<usize>, u64) {
    async fn sit(State(hub): State<Hub>, mut socket: Socket) -> Result<()> {
        let _seat = hub.room("room")?.join(&socket).tell_gaps(true).await?;
        while socket.read().await?.is_some() {}
        Ok(())
    }
    let hub = Hub::local();
    let app = App::builder()
        .state(hub.clone())
        .slow_client(policy)
        .route(Route::new("/", sit));
    let host = TestHost::new(app.build().unwrap());
    let mut slow = host.connect("/").await;
    settle().await;
    let room = hub.room("room").unwrap();
    for number in 0..40 {
        let publish = room.publish(format!("{number} {}", "x".repeat(64 * 1024)));
        let published = tokio::time::timeout(Duration::from_millis(1), publish).await;
        published.expect("it does not wait").unwrap();
        settle().await;
    }
    let (mut heard, mut missed) = (Vec::new(), 0);
    let patience = Duration::from_secs(3);
    while let Ok(Some(message)) = tokio::time::timeout(patience, slow.next_message()).await {
        // It may be closed in the end.
        let Some(line) = message.as_text() else {
            break;
        };
        match line.strip_prefix(r#"{"gap":{"messages":"#) {
            Some(gap) => missed += gap.trim_end_matches('}').parse::<u64>().unwrap(),
            None => heard.push(line.split_once(' ').unwrap().0.parse().unwrap()),
        }
    }
    if policy != SlowClient::Close {
        assert_eq!(missed, hub.stats().dropped, "what was dropped was told");
    }
    assert!(heard.is_sorted());
    (heard, missed)
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_makes_no_publisher_wait() {
    for policy in [SlowClient::Wait, SlowClient::DropNewest, SlowClient::Error] {
        let (heard, missed) = flood(policy).await;
        assert!(missed > 0, "{policy:?}");
        let first: Vec<_> = (0..heard.len()).collect();
        assert_eq!(heard, first, "{policy:?}: the newest are missing");
        assert_eq!(heard.len() as u64 + missed, 40, "{policy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_drops_the_oldest_hears_the_newest() {
    let (heard, missed) = flood(SlowClient::DropOldest).await;
    assert!(missed > 0);
    assert_eq!(heard.last(), Some(&39));
    assert_eq!(heard.len() as u64 + missed, 40);
}

#[tokio::test(start_paused = true)]
async fn who_closes_slow_members_closes_them() {
    let (heard, missed) = flood(SlowClient::Close).await;
    assert_eq!(missed, 0);
    assert!(heard.len() < 40);
}
