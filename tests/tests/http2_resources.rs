//! What abuse of HTTP/2 costs a server process, read from the system.
#![cfg(all(target_os = "linux", feature = "hyper"))]

mod program_under_test;

use std::time::Duration;

use futures::future::join_all;
use program_under_test::Program;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use wharf_conformance::client::{
    Http2Frames, PATIENCE,
    http2_frame::{
        CONTINUATION, END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, PING, RST_STREAM,
        SETTINGS, WINDOW_UPDATE,
    },
};

const MIB: i64 = 1024;
const ATTACKERS: usize = 20;

/// Sends this on so many connections, again and again until the server takes no more of it or there
/// is none, reading nothing; measures, with the connections still open, what is held of it.
async fn costs(settings: &[(u16, u32)], attack: impl Fn(u32) -> Option<Vec<u8>>, at_most_kib: i64) {
    let arguments = ["--driver", "hyper", "--http2", "127.0.0.1:0"];
    let program = Program::start(&arguments, "hyper").await;
    let address = program.server.address();
    program.open("/echo").await.expect_echo("warm").await;
    let before = program.usage();
    let attackers = join_all((0..ATTACKERS).map(|_| async {
        let stream = TcpStream::connect(address).await.expect("accepted");
        let mut attacker = Http2Frames::begin(Box::new(stream), settings).await;
        let mut round = 0;
        while let Some(bytes) = attack(round) {
            if !attacker.send(&bytes).await {
                break;
            }
            round += 1;
        }
        attacker
    }));
    let attackers = timeout(PATIENCE, attackers).await.expect("it is over");
    // What was sent is taken by now, or never.
    sleep(Duration::from_millis(500)).await;
    let during = program.usage();
    let growth = during.resident_kib - before.resident_kib;
    let burnt = during.cpu - before.cpu;
    println!("{growth} KiB, {burnt:?} for {ATTACKERS} connections");
    assert!(
        growth <= at_most_kib,
        "grew by {growth} KiB, expected at most {at_most_kib}"
    );
    program.open("/echo").await.expect_echo("served").await;
    drop(attackers);
    let leaving = async {
        while program.usage().descriptors > before.descriptors {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, leaving)
        .await
        .expect("descriptors are given back");
}

/// Streams 1, 3, 5 and on, so many in a round.
fn streams(round: u32, count: u32) -> impl Iterator<Item = u32> {
    (round * count..(round + 1) * count).map(|number| 2 * number + 1)
}

#[tokio::test]
async fn rapid_resets() {
    let attack = |round| {
        let cancelled = streams(round, 100).flat_map(|stream| {
            let mut bytes = Http2Frames::connect(stream, "/echo");
            bytes.extend(Http2Frames::frame(
                RST_STREAM,
                0,
                stream,
                &8_u32.to_be_bytes(),
            ));
            bytes
        });
        (round < 50).then(|| cancelled.collect())
    };
    costs(&[], attack, 4 * MIB).await;
}

#[tokio::test]
async fn provoked_resets() {
    let attack = |round| {
        let provoked = streams(round, 100).flat_map(|stream| {
            let mut bytes = Http2Frames::connect(stream, "/echo");
            bytes.extend(Http2Frames::frame(WINDOW_UPDATE, 0, stream, &[0; 4]));
            bytes
        });
        (round < 50).then(|| provoked.collect())
    };
    costs(&[], attack, 4 * MIB).await;
}

#[tokio::test]
async fn endless_headers() {
    let field = Http2Frames::fields(&[("x-filler", &"x".repeat(100))]);
    let more = Http2Frames::frame(CONTINUATION, 0, 1, &field.repeat(100));
    let begun = Http2Frames::fields(&[(":method", "CONNECT")]);
    let begun = Http2Frames::frame(HEADERS, 0, 1, &begun);
    let attack = |round| match round {
        0 => Some(begun.clone()),
        1..500 => Some(more.clone()),
        _ => None,
    };
    costs(&[], attack, 4 * MIB).await;
}

/// Ten thousand references to a field of four thousand bytes, in each of a hundred heads.
#[tokio::test]
async fn header_bombs() {
    let mut block = Http2Frames::fields(&[
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/echo"),
        (":authority", "wharf.test"),
    ]);
    block.extend([0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
    block.extend([b'x'; 4000]);
    block.resize(block.len() + 10_000, 0x80 | 62);
    let attack = |round: u32| {
        let stream = 2 * round + 1;
        let bomb = Http2Frames::frame(HEADERS, END_HEADERS | END_STREAM, stream, &block);
        (round < 100).then_some(bomb)
    };
    costs(&[], attack, 4 * MIB).await;
}

#[tokio::test]
async fn settings_floods() {
    let burst = Http2Frames::frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]).repeat(500);
    let attack = |round| (round < 200).then(|| burst.clone());
    costs(&[], attack, 4 * MIB).await;
}

#[tokio::test]
async fn ping_floods() {
    let burst = Http2Frames::frame(PING, 0, 0, &[7; 8]).repeat(500);
    let attack = |round| (round < 200).then(|| burst.clone());
    costs(&[], attack, 4 * MIB).await;
}

/// Every stream holds its queue of 64 KiB and what was handed on to HTTP/2.
#[tokio::test]
async fn closed_windows() {
    let attack = |round| {
        let opened =
            streams(round, 50).flat_map(|stream| Http2Frames::connect(stream, "/push/1000/16384"));
        (round < 1).then(|| opened.collect())
    };
    costs(
        &[(INITIAL_WINDOW_SIZE, 0)],
        attack,
        ATTACKERS as i64 * 50 * 128,
    )
    .await;
}
