//! What holds whatever happens to nodes and their bus: nobody is present twice or for ever, and no
//! hole is called a success.

#![allow(clippy::unwrap_used, reason = "what does not hold fails the test")]

mod site;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use arbitrary::Unstructured;
use tokio::time::{sleep, timeout};
use wharf_hub::{
    Hub, Position,
    testing::{Engine, Faults},
};
use wharf_sdk::testing::TestSocket;

use self::site::{Node, settle};

/// Three nodes on one engine.
fn nodes(engine: &Engine) -> Vec<Node> {
    let node = |_| Node::new(Hub::builder().bus(engine.bus()));
    (0..3).map(node).collect()
}

/// Lets a property hold under paused time.
fn hold(property: &impl AsyncFn(&mut Unstructured<'_>) -> arbitrary::Result<()>) {
    arbtest::arbtest(|u| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(property(u))
    })
    .size_min(64)
    .size_max(1024)
    .budget_ms(3000);
}

/// Everything that a client was sent until it was silent for this long.
async fn drain(socket: &mut TestSocket, silence: Duration) -> Vec<String> {
    let mut heard = Vec::new();
    while let Ok(Some(message)) = timeout(silence, socket.next_message()).await {
        heard.push(message.as_text().unwrap().to_owned());
    }
    heard
}

/// Members come and go while nodes are cut off and come back, one of them dies, and the engine
/// forgets: everybody joins and leaves in turn as far as anybody is told, and thirty seconds after
/// it is over everybody knows who is there.
async fn nobody_is_present_twice_or_for_ever(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let engine = Engine::new();
    engine.set_seed(u.arbitrary()?);
    engine.set_faults(Faults {
        double: f64::from(u.int_in_range(0..=3_u8)?) / 10.0,
        reorder: f64::from(u.int_in_range(0..=3_u8)?) / 10.0,
        delay: Duration::from_millis(u.int_in_range(0..=50)?),
        ..Faults::default()
    });
    let nodes = nodes(&engine);
    let mut listeners = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        let name = format!("listener-{at}");
        listeners.push(node.join(&name, "/p-room?presence=true").await.0);
    }
    let mut dead = None;
    let mut members: BTreeMap<String, (usize, TestSocket)> = BTreeMap::new();
    for number in 0..u.int_in_range(5..=30)? {
        let at = u.choose_index(3)?;
        match u.int_in_range(0..=11)? {
            0 | 1 => engine.cut_off(nodes[at].node()),
            2 | 3 => engine.reconnect(nodes[at].node()),
            4 if dead.is_none() => {
                dead = Some(at);
                engine.kill(nodes[at].node());
            }
            5 => {
                engine.cut_off_all();
                settle().await;
                engine.forget();
                engine.reconnect_all();
            }
            6 | 7 => sleep(Duration::from_millis(u.int_in_range(1..=25_000)?)).await,
            8 if !members.is_empty() => {
                let key = u.choose_iter(members.keys())?.clone();
                members.remove(&key);
            }
            _ => {
                let name = format!("{at}-{number}");
                let (socket, _) = nodes[at].join(&name, "/p-room").await;
                members.insert(name, (at, socket));
            }
        }
        sleep(Duration::from_millis(u.int_in_range(0..=500)?)).await;
    }
    engine.reconnect_all();
    sleep(Duration::from_secs(30)).await;
    let is_there = |at: usize| Some(at) != dead;
    let mut expected: BTreeSet<String> = members
        .iter()
        .filter(|(_, (at, _))| is_there(*at))
        .map(|(name, _)| name.clone())
        .collect();
    expected.extend(
        (0..3)
            .filter(|at| is_there(*at))
            .map(|at| format!("listener-{at}")),
    );
    for (at, listener) in listeners.iter_mut().enumerate() {
        if !is_there(at) {
            continue;
        }
        let heard = drain(listener, Duration::from_secs(1)).await;
        // It was not told who came before it.
        let before = (0..=at).map(|at| format!("listener-{at}"));
        let mut there: BTreeSet<_> = before.collect();
        for line in &heard {
            if line.starts_with("gap") {
                continue;
            }
            let (sign, name) = line.split_at(1);
            let name = name.trim_matches('"').to_owned();
            let is_change = match sign {
                "+" => there.insert(name),
                _ => there.remove(&name),
            };
            assert!(is_change, "{line} was told twice to {at}: {heard:?}");
        }
        assert_eq!(there, expected, "what {at} was told: {heard:?}");
        let members = nodes[at].room("p-room").unwrap().members().await.unwrap();
        let listed = members.iter().map(|member| member.metadata.as_str());
        let listed: BTreeSet<_> = listed.map(|name| name.unwrap().to_owned()).collect();
        assert_eq!(listed, expected, "whom {at} lists");
    }
    Ok(())
}

#[test]
fn nobody_is_present_twice_or_for_ever_whatever_happens() {
    hold(&nobody_is_present_twice_or_for_ever);
}

/// What was stored, by epoch and offset.
type Truth = BTreeMap<u64, BTreeMap<u64, String>>;

/// Checks what a member heard that began behind `since`: within an epoch every message that was
/// stored, in order, unless a gap was told. Returns where it is afterwards.
fn check(heard: &[String], mut since: Position, truth: &Truth) -> Position {
    let mut was_gap = false;
    for line in heard {
        if line.starts_with("gap") {
            was_gap = true;
            continue;
        }
        let (position, text) = line.split_once(' ').unwrap();
        let position: Position = position.parse().unwrap();
        let stored = &truth[&position.epoch];
        assert_eq!(stored[&position.offset], text, "{heard:?}");
        if position.epoch == since.epoch {
            assert!(position.offset > since.offset, "{since} then {heard:?}");
            let is_hole = stored
                .range(since.offset + 1..position.offset)
                .next()
                .is_some();
            assert!(!is_hole || was_gap, "a hole behind {since}: {heard:?}");
        } else {
            assert!(was_gap, "another epoch than {since}'s: {heard:?}");
        }
        (since, was_gap) = (position, false);
    }
    since
}

/// A member comes and goes, each time to any node and with the position that it has, while others
/// publish and the bus does what it can: what is called resumed is whole, and what is not begins
/// where the member is told.
async fn no_hole_is_called_success(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let engine = Engine::new();
    engine.set_seed(u.arbitrary()?);
    let nodes = nodes(&engine);
    let chance = |u: &mut Unstructured<'_>| -> arbitrary::Result<f64> {
        Ok(f64::from(u.int_in_range(0..=3_u8)?) / 10.0)
    };
    engine.set_faults(Faults {
        lose: chance(u)?,
        double: chance(u)?,
        reorder: chance(u)?,
        delay: Duration::from_millis(u.int_in_range(0..=20)?),
    });
    let mut truth = Truth::new();
    let mut since: Option<Position> = None;
    let mut commuter: Option<(TestSocket, Position)> = None;
    for number in 0..u.int_in_range(10..=80)? {
        let at = u.choose_index(3)?;
        match u.int_in_range(0..=19)? {
            0 => engine.cut_off(nodes[at].node()),
            1 | 2 => engine.reconnect(nodes[at].node()),
            3 => {
                engine.cut_off_all();
                settle().await;
                engine.forget();
                engine.reconnect_all();
            }
            4 => sleep(Duration::from_millis(u.int_in_range(1..=3000)?)).await,
            5..=8 => {
                if let Some((mut socket, begun)) = commuter.take() {
                    let heard = drain(&mut socket, Duration::from_millis(1)).await;
                    since = Some(check(&heard, begun, &truth));
                } else {
                    let path = match since {
                        Some(since) => format!("/h-room?gaps=true&since={since}"),
                        None => "/h-room?gaps=true".to_owned(),
                    };
                    let (socket, welcome) = nodes[at].join("commuter", &path).await;
                    let is_resumed = welcome.contains("Some(true)");
                    let told = welcome.rsplit(' ').next().unwrap().parse().ok();
                    // Resumed, it hears what came after the position that it had.
                    let begun = if is_resumed { since } else { told };
                    commuter = begun.map(|begun| (socket, begun));
                }
            }
            _ => {
                let room = nodes[at].room("h-room").unwrap();
                let text = format!("text-{number}");
                if let Ok(published) = room.publish(&*text).await {
                    let Position { epoch, offset } = published.position.unwrap();
                    let before = truth.entry(epoch).or_default().insert(offset, text);
                    assert_eq!(before, None, "two messages in one place");
                }
            }
        }
    }
    engine.set_faults(Faults::default());
    engine.reconnect_all();
    sleep(Duration::from_secs(10)).await;
    if let Some((mut socket, begun)) = commuter {
        let heard = drain(&mut socket, Duration::from_secs(2)).await;
        since = Some(check(&heard, begun, &truth));
    }
    // At last everything is there: resumed means up to the end.
    if let Some(since) = since {
        let path = format!("/h-room?gaps=true&since={since}");
        let (mut socket, welcome) = nodes[0].join("commuter", &path).await;
        let heard = drain(&mut socket, Duration::from_secs(2)).await;
        let end = check(&heard, since, &truth);
        let last = truth
            .get(&since.epoch)
            .and_then(|stored| stored.keys().last());
        if welcome.contains("Some(true)") {
            assert!(last.is_none_or(|last| *last <= end.offset), "{heard:?}");
        }
    }
    Ok(())
}

#[test]
fn no_hole_is_called_success_whatever_happens() {
    hold(&no_hole_is_called_success);
}
