//! What compression costs a socket that has nothing to say.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod echo_site;

use std::alloc::System;

use bytes::BytesMut;
use echo_site::{echo, request};
use http::{HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use wharf_sdk::{
    App, Compression, Configure, Route,
    driver::encode_client_frame,
    testing::{Answer, TestHost},
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Heap bytes of a connection that has echoed so many messages and rests.
async fn resting_bytes(compression: Option<Compression>, echoes: usize) -> i64 {
    const CONNECTIONS: i64 = 50;
    let route = Route::new("/echo", echo).compression(compression);
    let host = TestHost::new(App::builder().route(route).build().unwrap());
    let open = async || {
        let mut request = request();
        let offer = HeaderValue::from_static("permessage-deflate; client_max_window_bits");
        request.headers.insert(SEC_WEBSOCKET_EXTENSIONS, offer);
        let Answer::Upgraded(_, mut client) = host.request(request).await else {
            panic!("not upgraded");
        };
        for round in 0..echoes {
            let row = format!("{{\"round\":{round},\"kind\":\"a row like any other\"}},");
            let first = if compression.is_some() { 0xC2 } else { 0x82 };
            let rows = row.repeat(40).into_bytes();
            let payload = if compression.is_some() {
                stored(&rows)
            } else {
                rows
            };
            let mut sent = BytesMut::new();
            encode_client_frame(&mut sent, first, [1, 2, 3, 4], &payload);
            client.write_all(&sent).await.unwrap();
            let answered = read_frame(&mut client).await;
            assert_eq!(answered, first, "compressed if and only if agreed on");
        }
        // The session comes to rest.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        client
    };
    let mut held = vec![open().await];
    held.reserve(CONNECTIONS as usize);
    let region = Region::new(ALLOCATOR);
    for _ in 0..CONNECTIONS {
        held.push(open().await);
    }
    let change = region.change();
    (change.bytes_allocated as i64 - change.bytes_deallocated as i64) / CONNECTIONS
}

/// A compressed message, made by hand: a block of bytes as they are, and the beginning of a flush.
fn stored(payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u16;
    let head = [&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes()].concat();
    [&head[..], payload, &[0]].concat()
}

/// Reads a frame; returns its first byte.
async fn read_frame(client: &mut DuplexStream) -> u8 {
    let first = client.read_u8().await.unwrap();
    let length = match client.read_u8().await.unwrap() {
        126 => usize::from(client.read_u16().await.unwrap()),
        short => usize::from(short),
    };
    let mut payload = vec![0; length];
    client.read_exact(&mut payload).await.unwrap();
    first
}

// One test: the allocator counts for the whole process.
#[tokio::test(flavor = "current_thread")]
async fn an_idle_compressed_socket_costs_next_to_nothing() {
    let forgets = Compression::new();
    let remembers = forgets.takeover(true).window_bits(12).memory_level(5);
    let plain = resting_bytes(None, 0).await;
    let without = resting_bytes(Some(forgets), 0).await - plain;
    // The pipe to the client grows with what goes through it: the same, with and without.
    let forgetting = resting_bytes(Some(forgets), 30).await;
    let with = without + resting_bytes(Some(remembers), 30).await - forgetting;
    println!("a plain socket: {plain} bytes; compressed: {without} more; with takeover: {with}");
    assert!(without <= 64, "{without} bytes more without takeover");
    assert!(with <= 48 * 1024, "{with} bytes more with takeover");
    assert!(with > 4096, "no window is kept: {with} bytes");
}
