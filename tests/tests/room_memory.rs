//! What a room with one member costs its node in heap, beside the session: counted by the allocator,
//! on every bus, with 100,000 of them.
#![cfg(all(feature = "redis", feature = "nats"))]

use std::{alloc::System, time::Duration};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::time::{sleep, timeout};
use wharf_conformance::bus::{BusHost, Local, NatsBus, RedisBus};
use wharf_hub::Hub;
use wharf_sdk::{App, Result, Route, Socket, State, WebSocketExt, testing::TestHost};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SOCKETS: usize = 1000;
const ROOMS_PER_SOCKET: usize = 100;

/// What the contract allows, 1,024, less what an allocator takes around it.
const MOST_BYTES: usize = 900;

/// All of it, in a build for tests, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// Sits in its own rooms once it is told a number, until its peer leaves.
async fn sit(State(hub): State<Hub>, mut socket: Socket) -> Result<()> {
    let mut seats = Vec::with_capacity(ROOMS_PER_SOCKET);
    while let Some(number) = socket.read_text().await? {
        for at in 0..ROOMS_PER_SOCKET {
            let room = hub.room(format!("lobby-{number}-{at}"))?;
            seats.push(room.join(&socket).await?);
        }
        socket.write("seated").await?;
    }
    drop(seats);
    Ok(())
}

fn held(region: &Region<'_, System>) -> usize {
    let change = region.change();
    change
        .bytes_allocated
        .saturating_sub(change.bytes_deallocated)
}

async fn bytes_a_room(bus: &dyn BusHost) -> usize {
    let engine = bus.start().await;
    let hub = engine.node().await.build().expect("a valid hub");
    let app = App::builder()
        .state(hub.clone())
        .route(Route::new("/", sit));
    let host = TestHost::new(app.build().expect("a valid app"));
    let mut sockets = Vec::with_capacity(SOCKETS);
    for _ in 0..SOCKETS {
        sockets.push(host.connect("/").await);
    }
    let region = Region::new(ALLOCATOR);
    for (number, socket) in sockets.iter_mut().enumerate() {
        socket.send_text(&number.to_string()).await;
    }
    for socket in &mut sockets {
        let seated = timeout(PATIENCE, socket.expect_text("seated"));
        seated.await.expect("a seat in each room");
    }
    assert_eq!(hub.stats().members, SOCKETS * ROOMS_PER_SOCKET);
    let a_room = held(&region) / hub.stats().rooms;
    drop(sockets);
    // What comes next begins when nothing of this is left.
    let over = timeout(PATIENCE, async {
        while hub.stats().sessions > 0 || hub.stats().bus.subscriptions > 1 {
            sleep(Duration::from_millis(50)).await;
        }
    });
    over.await.expect("all have left");
    a_room
}

/// One after the other, since the allocator counts for all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_takes_less_than_a_kilobyte() {
    let buses: [(&str, &dyn BusHost); 3] =
        [("local", &Local), ("redis", &RedisBus), ("nats", &NatsBus)];
    let mut too_many = Vec::new();
    for (name, bus) in buses {
        let bytes = bytes_a_room(bus).await;
        println!("{name}: {bytes} bytes a room");
        if bytes > MOST_BYTES {
            too_many.push((name, bytes));
        }
    }
    assert!(too_many.is_empty(), "over {MOST_BYTES}: {too_many:?}");
}
