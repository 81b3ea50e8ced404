//! What sessions cost a server process, read from the system, whatever their peers do.
#![cfg(all(target_os = "linux", any(feature = "axum", feature = "actix")))]

mod program_under_test;

use std::time::Duration;

use futures::future::join_all;
use program_under_test::{Program, Usage};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};
use wharf_conformance::{
    Client, Request, Running,
    client::{Frame, PATIENCE},
};

const KIB: i64 = 1;
const MIB: i64 = 1024 * KIB;

/// A peer that does not read costs its queue and fixed buffers, and no processor time; it ends at
/// the write deadline, and its descriptor is given back.
async fn stalled_readers(driver: &str) {
    const PEERS: usize = 40;
    let program = start(driver).await;
    let before = program.usage();
    let peers = join_all((0..PEERS).map(|_| program.open("/push/100000/65536"))).await;
    sleep(Duration::from_millis(500)).await;
    let stalled = program.usage();
    sleep(Duration::from_millis(1000)).await;
    let during = program.usage();
    expect_growth(before, during, PEERS as i64 * 512 * KIB);
    let burnt = during.cpu - stalled.cpu;
    assert!(
        burnt < Duration::from_millis(500),
        "{burnt:?} in a second of waiting"
    );
    expect_descriptors(&program, before.descriptors).await;
    drop(peers);
}

/// A peer that floods a handler which does not read costs a fixed read-ahead.
async fn flooded_handlers(driver: &str) {
    const PEERS: usize = 20;
    let program = start(driver).await;
    let before = program.usage();
    let message = Frame::binary(vec![7; 8 * 1024]).to_bytes();
    let mut peers = join_all((0..PEERS).map(|_| program.open("/busy"))).await;
    join_all(peers.iter_mut().map(|peer| async {
        // More than the kernel holds for both of them: this is expected to get stuck.
        let flood = async {
            for _ in 0..2000 {
                peer.send_raw(&message).await;
            }
        };
        let _ = timeout(Duration::from_millis(1500), flood).await;
    }))
    .await;
    expect_growth(before, program.usage(), PEERS as i64 * 512 * KIB);
    drop(peers);
    expect_descriptors(&program, before.descriptors).await;
}

/// A large message costs what has arrived of it, not what was announced, and its buffer is given
/// back.
async fn announced_messages(driver: &str) {
    const PEERS: usize = 50;
    let program = start(driver).await;
    let before = program.usage();
    let mut peers = join_all((0..PEERS).map(|_| program.open("/echo"))).await;
    for peer in &mut peers {
        peer.send(Frame::binary(vec![7; 1000]).announcing(60 << 20))
            .await;
    }
    sleep(Duration::from_millis(300)).await;
    expect_growth(before, program.usage(), PEERS as i64 * 256 * KIB);
    drop(peers);
    expect_descriptors(&program, before.descriptors).await;
}

/// Idle sessions that have echoed a large message keep little of it.
async fn idle_after_large_messages(driver: &str) {
    const PEERS: usize = 20;
    let program = start(driver).await;
    let large = vec![7; 2 * 1024 * 1024];
    let mut warm = program.open("/echo").await;
    echo(&mut warm, &large).await;
    warm.close().await;
    let before = program.usage();
    let mut peers = join_all((0..PEERS).map(|_| program.open("/echo"))).await;
    for peer in &mut peers {
        echo(peer, &large).await;
    }
    sleep(Duration::from_millis(300)).await;
    // The allocator keeps some of it, once and not per session.
    expect_growth(before, program.usage(), 8 * MIB + PEERS as i64 * 64 * KIB);
    drop(peers);
}

/// After chaos (kills, violations, panics, slow readers, floods), memory and descriptors are back
/// where they were, and every session is accounted for.
///
/// `WHARF_SOAK_SECONDS` and `WHARF_SOAK_PEERS` make it longer and wider; the descriptor limit must
/// allow for the peers.
async fn chaos(driver: &str) {
    let setting = |name: &str, default: u64| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let duration = Duration::from_secs(setting("WHARF_SOAK_SECONDS", 3));
    let peers = setting("WHARF_SOAK_PEERS", 100);
    let program = start(driver).await;
    let started = program.usage();
    // The first storm shows what the allocator keeps of one.
    let mut sessions = storm(&program, peers, Duration::from_secs(1)).await;
    let settled = settle(&program, started, sessions).await;
    let more = storm(&program, peers, duration).await;
    sessions += more;
    let after = settle(&program, started, sessions).await;
    // The fixture remembers what its observers were told: some 300 bytes an event.
    expect_growth(settled, after, 24 * MIB + more as i64 * 2 * KIB);
    let mut client = program.open("/echo").await;
    client.expect_echo("the server goes on").await;
}

/// Waits until every session has ended, once, and every descriptor is given back.
async fn settle(program: &Program, started: Usage, sessions: usize) -> Usage {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let events = program
            .server
            .request(Request::plain("GET", "/events"))
            .await
            .expect(200);
        let events = events.json();
        let of = |kind: &str| {
            let events = events.as_array().expect("an array");
            events.iter().filter(|event| event["event"] == kind).count()
        };
        let (upgraded, closed) = (of("upgraded"), of("closed"));
        if upgraded == closed {
            assert!(
                upgraded >= sessions,
                "of {sessions} sessions {upgraded} were told"
            );
            return expect_descriptors(program, started.descriptors).await;
        }
        // Handlers that are busy outlive their connections for a while.
        assert!(
            Instant::now() < deadline,
            "{upgraded} sessions began and {closed} ended"
        );
        sleep(Duration::from_millis(200)).await;
    }
}

/// Opens sessions and ends them in every way for this long; returns how many.
async fn storm(program: &Program, peers: u64, duration: Duration) -> usize {
    let end = Instant::now() + duration;
    // Fewer at once than the kernel queues for the server: a lost SYN costs seconds.
    let handshakes = &Semaphore::new(200);
    let counts = join_all((0..peers).map(|peer| async move {
        let mut sessions = 0;
        while Instant::now() < end {
            misbehave(program, handshakes, peer + sessions).await;
            sessions += 1;
        }
        sessions as usize
    }))
    .await;
    counts.into_iter().sum()
}

async fn misbehave(program: &Program, handshakes: &Semaphore, kind: u64) {
    let open = async |path: &str| {
        let _permit = handshakes.acquire().await;
        program.open(path).await
    };
    match kind % 10 {
        0 => open("/echo").await.close().await,
        1 => open("/echo").await.vanish(),
        2 => {
            open("/echo")
                .await
                .send(Frame::text("bare").unmasked())
                .await
        }
        3 => {
            let mut client = open("/panic").await;
            client.send_text("go").await;
            client.expect_close(1011).await;
        }
        4 => {
            // A slow reader that leaves in the middle.
            let mut client = open("/push/200/16384").await;
            sleep(Duration::from_millis(50)).await;
            let _ = client.recv().await;
        }
        5 => {
            let mut client = open("/busy").await;
            let flood = vec![Frame::binary(vec![7; 1024]); 100];
            let _ = timeout(Duration::from_millis(100), client.send_together(flood)).await;
        }
        6 => {
            open("/echo")
                .await
                .send_raw(&Frame::text("cut").to_bytes()[..3])
                .await
        }
        7 => {
            let mut client = open("/limit").await;
            client.send_text(&"x".repeat(2000)).await;
            client.expect_close(1009).await;
        }
        8 => {
            let mut client = open("/overflow/close").await;
            sleep(Duration::from_millis(20)).await;
            client.vanish();
        }
        _ => {
            let mut client = open("/echo").await;
            let large = vec![7; 100_000];
            echo(&mut client, &large).await;
            client.send(Frame::close(1000, "")).await;
        }
    }
}

async fn start(driver: &str) -> Program {
    let program = Program::start(&["--driver", driver, "127.0.0.1:0"], driver).await;
    // What is allocated once is allocated now.
    join_all((0..8).map(|_| async {
        let mut client = program.open("/echo").await;
        client.expect_echo("warm").await;
        client.close().await;
    }))
    .await;
    program
}

async fn echo(client: &mut Client, bytes: &[u8]) {
    client.send(Frame::binary(bytes.to_vec())).await;
    client.expect_binary(bytes).await;
}

#[track_caller]
fn expect_growth(before: Usage, after: Usage, at_most_kib: i64) {
    let growth = after.resident_kib - before.resident_kib;
    assert!(
        growth <= at_most_kib,
        "grew by {growth} KiB, expected at most {at_most_kib}"
    );
}

/// Waits until no more descriptors are open than this, give or take what the runtime holds.
async fn expect_descriptors(program: &Program, at_most: usize) -> Usage {
    let waiting = timeout(PATIENCE, async {
        loop {
            let usage = program.usage();
            if usage.descriptors <= at_most {
                return usage;
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    let open = || program.usage().descriptors;
    waiting
        .await
        .unwrap_or_else(|_| panic!("{} descriptors, expected {at_most}", open()))
}

macro_rules! on_every_driver {
    ($($driver:ident: $feature:literal)*) => {
        $(
            #[cfg(feature = $feature)]
            mod $driver {
                #[tokio::test]
                async fn stalled_readers() {
                    super::stalled_readers($feature).await;
                }

                #[tokio::test]
                async fn flooded_handlers() {
                    super::flooded_handlers($feature).await;
                }

                #[tokio::test]
                async fn announced_messages() {
                    super::announced_messages($feature).await;
                }

                #[tokio::test]
                async fn idle_after_large_messages() {
                    super::idle_after_large_messages($feature).await;
                }

                #[tokio::test]
                async fn chaos() {
                    super::chaos($feature).await;
                }
            }
        )*
    };
}

on_every_driver! { axum: "axum" actix: "actix" }
