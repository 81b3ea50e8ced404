//! What sessions cost a server process, read from the system, whatever their peers do.
#![cfg(all(
    target_os = "linux",
    any(feature = "axum", feature = "actix", feature = "hyper")
))]

mod program_under_test;

use std::time::Duration;

use futures::future::join_all;
use program_under_test::{Program, Usage};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    process::Command,
    time::{sleep, timeout},
};
use wharf_conformance::{
    Client,
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
    sleep(Duration::from_millis(1500)).await;
    expect_growth(before, program.usage(), PEERS as i64 * 512 * KIB);
    // The write deadline is 2 s; most of what they cost is to fill the system's buffers.
    let after = expect_descriptors(&program, before.descriptors).await;
    let burnt = after.cpu - before.cpu;
    assert!(
        burnt < Duration::from_millis(1500),
        "{burnt:?} for peers that do not read"
    );
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

/// What waits costs what it weighs, and not the buffers that it was read into: neither in the send
/// queue of a peer that does not read, nor before a handler that does not.
async fn small_messages_among_pings(driver: &str) {
    const PEERS: usize = 10;
    let program = start(driver).await;
    let before = program.usage();
    // One byte of data in what one read takes.
    let mut chunk = Vec::new();
    while chunk.len() < 32 * 1024 - 10 {
        chunk.extend_from_slice(&Frame::ping(vec![7; 125]).to_bytes());
    }
    chunk.extend_from_slice(&Frame::binary(vec![7]).to_bytes());
    for path in ["/same-origin", "/busy"] {
        let mut peers = join_all((0..PEERS).map(|_| program.open(path))).await;
        join_all(peers.iter_mut().map(|peer| async {
            // The echo gets stuck on the way.
            let flood = async {
                for _ in 0..2000 {
                    peer.send_raw(&chunk).await;
                }
            };
            let _ = timeout(Duration::from_secs(4), flood).await;
        }))
        .await;
        expect_growth(before, program.usage(), PEERS as i64 * 768 * KIB);
        drop(peers);
    }
    expect_descriptors(&program, before.descriptors).await;
}

/// A peer that is dropped while it does not read is forgotten by the system too: what it did not
/// take is not sent for minutes.
async fn dropped_readers(driver: &str) {
    let program = start(driver).await;
    let mut peer = program.open("/push/100000/65536").await;
    let port = program.server.address().port();
    // Fields: slot, local address, remote address, state, send queue:receive queue; in hexadecimal.
    let is_stuck = || {
        let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
        table.lines().skip(1).any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields.next().expect("an address");
            let queues = fields.nth(2).expect("queues");
            let unsent = queues.split(':').next().expect("a queue");
            local.ends_with(&format!(":{port:04X}"))
                && u32::from_str_radix(unsent, 16).expect("a number") > 64 * 1024
        })
    };
    let until = async |stuck: bool| {
        let waiting = timeout(PATIENCE, async {
            while is_stuck() != stuck {
                sleep(Duration::from_millis(50)).await;
            }
        });
        assert!(
            waiting.await.is_ok(),
            "the system's queue, stuck: {}",
            !stuck
        );
    };
    until(true).await;
    // The write deadline is 2 s.
    until(false).await;
    peer.vanish();
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
    const PEERS: usize = 40;
    let program = start(driver).await;
    let large = vec![7; 2 * 1024 * 1024];
    let mut warm = program.open("/echo").await;
    echo(&mut warm, &large).await;
    warm.close().await;
    let before = program.usage();
    let mut peers = Vec::new();
    for _ in 0..PEERS {
        let mut peer = program.open("/echo").await;
        echo(&mut peer, &large).await;
        peers.push(peer);
    }
    sleep(Duration::from_millis(300)).await;
    // Threads and the allocator keep some of it, once and not per session: the messages are 80 MiB.
    expect_growth(before, program.usage(), 16 * MIB + PEERS as i64 * 64 * KIB);
    drop(peers);
}

/// After chaos (kills, violations, panics, slow readers, floods) and before a shutdown in the middle
/// of more, memory and descriptors are back where they were, and every session is accounted for.
async fn chaos(driver: &str) {
    let arguments = ["--driver", driver, "--sockets", "150", "--seconds", "3"];
    let soak = Command::new(env!("CARGO_BIN_EXE_soak"))
        .args(arguments)
        .kill_on_drop(true)
        .output();
    let output = timeout(Duration::from_secs(170), soak).await;
    let output = output.expect("an end in time").expect("it runs");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Whoever is no socket has a deadline, whatever it waits for, and keeps no descriptor behind it.
async fn held_connections(driver: &str) {
    const EACH: usize = 5;
    let program = start(driver).await;
    let before = program.usage().descriptors;
    let chunked = "Host: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let upgrade = "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    let requests = [
        String::new(),
        format!("GET /echo HTTP/1.1\r\n{upgrade}"),
        format!("POST /nowhere HTTP/1.1\r\n{chunked}"),
        format!("POST /echo HTTP/1.1\r\n{chunked}"),
        format!("POST /fallback HTTP/1.1\r\n{chunked}"),
        format!("GET /echo HTTP/1.1\r\n{chunked}"),
        "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2_000),
        "GET /fallback HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n".to_owned(),
    ];
    let mut held = Vec::new();
    for request in requests.iter().flat_map(|request| [request; EACH]) {
        let stream = TcpStream::connect(program.server.address()).await;
        let mut stream = stream.expect("a connection");
        // Of pipelined requests, as many as are taken.
        let writing = stream.write_all(request.as_bytes());
        let _ = timeout(Duration::from_secs(1), writing).await;
        held.push(stream);
    }
    expect_descriptors(&program, before).await;
    drop(held);
}

/// With fewer descriptors than the cap is made for, accepting pauses, and goes on as soon as there is
/// one: half-open connections make room, or have a deadline.
async fn out_of_descriptors(driver: &str) {
    const DESCRIPTORS: usize = 30;
    let program = Program::start_with_descriptors(DESCRIPTORS, driver).await;
    let address = program.server.address();
    let held = join_all((0..25).map(|_| TcpStream::connect(address))).await;
    let mut socket = program.open("/echo").await;
    socket.expect_echo("let in").await;
    assert!(program.usage().descriptors <= DESCRIPTORS);
    drop(held);
    for _ in 0..3 {
        let mut another = program.open("/echo").await;
        another.expect_echo("as ever").await;
        another.close().await;
    }
    socket.expect_echo("still there").await;
}

/// A crowd that comes while nobody accepts waits in the kernel, and need not come again.
async fn crowds_at_the_door(driver: &str) {
    const CROWD: usize = 600;
    let program = start(driver).await;
    program.signal("-STOP").await;
    let address = program.server.address();
    let crowd = join_all((0..CROWD).map(|_| TcpStream::connect(address)));
    // Who finds the door shut tries again, and finds it shut as long as nobody accepts.
    let come = timeout(PATIENCE, crowd).await;
    program.signal("-CONT").await;
    let come = come.expect("room for all of them");
    assert!(come.iter().all(Result::is_ok), "they are let in");
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
                async fn small_messages_among_pings() {
                    super::small_messages_among_pings($feature).await;
                }

                #[tokio::test]
                async fn dropped_readers() {
                    super::dropped_readers($feature).await;
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
                async fn held_connections() {
                    super::held_connections($feature).await;
                }

                #[tokio::test]
                async fn out_of_descriptors() {
                    super::out_of_descriptors($feature).await;
                }

                #[tokio::test]
                async fn crowds_at_the_door() {
                    super::crowds_at_the_door($feature).await;
                }

                #[tokio::test]
                async fn chaos() {
                    super::chaos($feature).await;
                }
            }
        )*
    };
}

on_every_driver! { axum: "axum" actix: "actix" hyper: "hyper" }
