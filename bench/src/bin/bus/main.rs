//! Measures the hub over a bus: `bus <local|redis|nats> [--rooms <n>]`.
//!
//! Two nodes (`node`), the engine's own server on a free port, and beside them the bus's
//! client alone, which does nothing but count. Needs `redis-server` and `nats-server`.

mod bare;
mod engine;
mod nodes;
mod rooms;

use std::io;
use std::time::{Duration, Instant};

use bare::Bare;
use engine::Engine;
use nodes::{Nodes, ask, flood, last_delivery, last_delivery_of, listen, open, room};
use wharf_bench::serve::runtime;
use wharf_bench::siblings;

/// Sockets on the other node.
const SOCKETS: [usize; 3] = [1, 10, 100];

/// Messages whose way is timed, one after the other.
const TIMED: usize = 2000;

/// Publishers of a flood, and the messages of each.
const PUBLISHERS: usize = 32;
const FLOOD: usize = 3000;

/// Floods of either kind, turn by turn.
const TURNS: usize = 3;

/// Rooms with one member each, unless `--rooms` says otherwise.
const ROOMS: usize = 100_000;

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let usage = || io::Error::other("usage: bus <local|redis|nats> [--rooms <n>]");
    let bus = args.next().ok_or_else(usage)?;
    let rooms = match (args.next().as_deref(), args.next()) {
        (Some("--rooms"), Some(n)) => n.parse().map_err(io::Error::other)?,
        (None, _) => ROOMS,
        _ => return Err(usage()),
    };
    siblings::build()?;
    runtime()?.block_on(async {
        if bus == "local" {
            return rooms::measure(None, rooms).await;
        }
        let engine = Engine::start(&bus).await?;
        measure_way(&engine).await?;
        measure_flood(&engine).await?;
        rooms::measure(Some(engine), rooms).await
    })
}

/// From one publish to the last socket of the other node, beside the round trip of the bus's client:
/// published by a handler, and said by a socket, whose way there and back is part of it then.
async fn measure_way(engine: &Engine) -> io::Result<()> {
    for sockets in SOCKETS {
        let bare = Bare::apart(engine).await?;
        let nodes = Nodes::start(engine).await?;
        let mut listening = listen(&nodes.far, sockets).await?;
        // In turns of a few, so that drift hits all alike.
        let room = room(engine).await?;
        let (mut alone, mut hub) = (Vec::new(), Vec::new());
        for _ in 0..TIMED / 100 {
            for _ in 0..100 {
                alone.push(bare.round_trip().await?);
            }
            for _ in 0..100 {
                hub.push(last_delivery_of(&room, &mut listening).await?);
            }
        }
        let (hub, alone) = (median(&mut hub), median(&mut alone));
        println!(
            "a handler's publish to the last of {sockets} sockets on another node: p50 {:.0} µs, \
             {:.2} × the client's own {:.0} µs",
            micros(hub),
            micros(hub) / micros(alone),
            micros(alone),
        );
        // Its publisher is in the room, too, so that one more socket is written to.
        let mut socket = open(&nodes.near, "/echo").await?;
        let (mut alone, mut hub, mut echoed) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TIMED / 100 {
            for _ in 0..100 {
                let since = Instant::now();
                ask(&mut socket, "an echo").await?;
                echoed.push(since.elapsed());
            }
            for _ in 0..100 {
                alone.push(bare.round_trip().await?);
            }
            for _ in 0..100 {
                hub.push(last_delivery(&nodes.near, &mut listening).await?);
            }
        }
        let (hub, alone) = (median(&mut hub), median(&mut alone));
        let both = alone + median(&mut echoed);
        println!(
            "  said by a socket: p50 {:.0} µs, {:.2} × the client's own {:.0} µs, \
             {:.2} × that and an echo, {:.0} µs",
            micros(hub),
            micros(hub) / micros(alone),
            micros(alone),
            micros(hub) / micros(both),
            micros(both),
        );
    }
    Ok(())
}

/// Messages a second that arrive at a socket of the other node, against a subscriber that only
/// counts. Both hear the same node publish.
async fn measure_flood(engine: &Engine) -> io::Result<()> {
    let (mut hub, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let nodes = Nodes::start(engine).await?;
        let bare = Bare::beside_the_hub(engine).await?;
        alone.push(bare.count(flood(&nodes.near, PUBLISHERS, FLOOD)).await?);
        drop(bare);
        let listening = listen(&nodes.far, 1).await?;
        hub.push(
            listening
                .count(
                    &nodes.far,
                    (PUBLISHERS * FLOOD) as u64,
                    flood(&nodes.near, PUBLISHERS, FLOOD),
                )
                .await?,
        );
    }
    let show = |counts: &[nodes::Counted]| {
        let each = counts.iter().map(|counted| {
            format!(
                "{:.0}/s ({} of {}, {} late, {} gaps told)",
                counted.per_second(),
                counted.messages,
                PUBLISHERS * FLOOD,
                counted.late,
                counted.gaps,
            )
        });
        each.collect::<Vec<_>>().join(", ")
    };
    println!("to a bare subscriber: {}", show(&alone));
    println!("to a socket of the other node: {}", show(&hub));
    let rate = |counts: &[nodes::Counted]| {
        let mut rates: Vec<_> = counts.iter().map(nodes::Counted::per_second).collect();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    println!("  ratio of the medians: {:.2}", rate(&hub) / rate(&alone));
    Ok(())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
