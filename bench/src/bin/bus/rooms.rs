//! Many rooms with one member each: what a room costs, and how soon all are heard again.

use std::io;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;
use wharf_bench::load::Wire;
use wharf_bench::machine::{cpu_time, resident_bytes};

use super::engine::Engine;
use super::nodes::{ask, open, start_node};

/// Rooms of one socket.
const ROOMS_PER_SOCKET: usize = 100;

/// Time in which a node comes to rest, longer than a hub listens to a room that is empty.
const SETTLE: Duration = Duration::from_secs(3);

/// How long the engine is away.
const AWAY: Duration = Duration::from_secs(2);

/// Longest wait for all subscriptions.
const DEADLINE: Duration = Duration::from_secs(60);

/// How often the node is asked.
const POLL: Duration = Duration::from_millis(50);

pub(crate) async fn measure(engine: Option<Engine>, rooms: usize) -> io::Result<()> {
    let node = start_node(engine.as_ref())?;
    let mut sockets = Vec::new();
    for _ in 0..rooms / ROOMS_PER_SOCKET {
        sockets.push(open(&node, "/rooms").await?);
    }
    sleep(SETTLE).await;
    let before = resident_bytes(node.pid())?;
    let since = Instant::now();
    for socket in &mut sockets {
        ask(socket, &format!("join {ROOMS_PER_SOCKET}")).await?;
    }
    let joining = since.elapsed();
    sleep(SETTLE).await;
    let grown = resident_bytes(node.pid())?.saturating_sub(before);
    println!(
        "{rooms} rooms with one member each: {} bytes a room, joined in {:.1} s",
        grown / rooms as u64,
        joining.as_secs_f64()
    );
    let Some(mut engine) = engine else {
        return Ok(());
    };

    let first = &mut sockets[0];
    let subscribed = figures(first).await?["subscriptions"].clone();
    engine.kill()?;
    sleep(AWAY).await;
    let while_away = figures(first).await?;
    let cpu = cpu_time(node.pid())?;
    engine.restart().await?;
    let since = Instant::now();
    let mut connected = None;
    let mut progress = Vec::new();
    loop {
        let now = figures(first).await?;
        if now["connected"] == true && connected.is_none() {
            connected = Some(since.elapsed());
        }
        let there = now["subscriptions"].as_u64().unwrap_or_default();
        if progress.last() != Some(&there) {
            progress.push(there);
        }
        if now["connected"] == true && now["subscriptions"] == subscribed {
            break;
        }
        if since.elapsed() > DEADLINE {
            return Err(io::Error::other(format!(
                "not all are subscribed again: {now}"
            )));
        }
        sleep(POLL).await;
    }
    println!(
        "away: {while_away}; back: connected after {:.2} s, {subscribed} subscribed after {:.2} s, \
         node's CPU {:.2} s, seen on the way: {progress:?}",
        connected.unwrap_or_default().as_secs_f64(),
        since.elapsed().as_secs_f64(),
        cpu_time(node.pid())?.saturating_sub(cpu).as_secs_f64(),
    );
    Ok(())
}

async fn figures(wire: &mut Wire) -> io::Result<Value> {
    Ok(serde_json::from_str(&ask(wire, "figures").await?)?)
}
