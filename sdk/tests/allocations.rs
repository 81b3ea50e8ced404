//! What a message costs in allocations: nothing of the SDK's own.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod echo_site;

use std::alloc::System;

use bytes::BytesMut;
use echo_site::{echo, request};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wharf_sdk::{
    App, Result, Route, Socket,
    driver::encode_client_frame,
    testing::{Answer, TestHost},
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations for each message, over many, when `in_flight` are under way at once.
async fn per_message(first: u8, in_flight: usize) -> f64 {
    const ROUNDS: usize = 500;
    let app = App::builder()
        .route(Route::new("/echo", echo))
        .build()
        .unwrap();
    let Answer::Upgraded(_, mut client) = TestHost::new(app).request(request()).await else {
        panic!("not upgraded");
    };
    let mut sent = BytesMut::new();
    for _ in 0..in_flight {
        encode_client_frame(&mut sent, first, [1, 2, 3, 4], &[b'x'; 64]);
    }
    let mut received = vec![0; in_flight * 66];
    let mut round = async || {
        client.write_all(&sent).await.unwrap();
        client.read_exact(&mut received).await.unwrap();
    };
    // Buffers and queues take their size.
    for _ in 0..50 {
        round().await;
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..ROUNDS {
        round().await;
    }
    let change = region.change();
    (change.allocations + change.reallocations) as f64 / (ROUNDS * in_flight) as f64
}

/// Bytes allocated for each message of half a megabyte, when several wait to be read.
async fn bytes_per_large_message() -> f64 {
    const BYTES: usize = 512 * 1024;
    const IN_FLIGHT: usize = 4;
    const ROUNDS: usize = 20;
    let app = App::builder()
        .route(Route::new("/echo", echo))
        .build()
        .unwrap();
    let Answer::Upgraded(_, client) = TestHost::new(app).request(request()).await else {
        panic!("not upgraded");
    };
    let mut sent = BytesMut::new();
    for _ in 0..IN_FLIGHT {
        encode_client_frame(&mut sent, 0x82, [1, 2, 3, 4], &vec![b'x'; BYTES]);
    }
    let mut received = vec![0; IN_FLIGHT * (BYTES + 10)];
    let (mut reader, mut writer) = tokio::io::split(client);
    let mut round = async || {
        let sending = writer.write_all(&sent);
        tokio::try_join!(sending, reader.read_exact(&mut received)).unwrap();
    };
    // Each of the buffers is used once.
    for _ in 0..5 {
        round().await;
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..ROUNDS {
        round().await;
    }
    region.change().bytes_allocated as f64 / (ROUNDS * IN_FLIGHT) as f64
}

async fn panicking(mut socket: Socket) {
    let _ = socket.read().await;
    panic!("as it should");
}

async fn pushing(mut socket: Socket) -> Result<()> {
    loop {
        socket.write(vec![0; 16 * 1024]).await?;
    }
}

/// How many bytes a connection leaves behind when it is over, by how it ended.
async fn left_behind(path: &str, first: Option<u8>) -> f64 {
    const CONNECTIONS: usize = 200;
    let app = App::builder()
        .route(Route::new("/echo", echo))
        .route(Route::new("/panic", panicking))
        .route(Route::new("/push", pushing))
        .build()
        .unwrap();
    let host = TestHost::new(app);
    let connect = async || {
        let mut client = host.connect(path).await;
        if let Some(first) = first {
            client.send_frame(first, b"\x03\xe8").await;
            while client.next_frame().await.is_some() {}
        } else {
            tokio::task::yield_now().await;
        }
        client.vanish();
        while host.app().handle().connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    for _ in 0..20 {
        connect().await;
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..CONNECTIONS {
        connect().await;
    }
    let change = region.change();
    (change.bytes_allocated as f64 - change.bytes_deallocated as f64) / CONNECTIONS as f64
}

// One test: the allocator counts for the whole process.
#[tokio::test(flavor = "current_thread")]
async fn messages_allocate_nothing_and_connections_leave_nothing_behind() {
    std::panic::set_hook(Box::new(|_| {}));
    for (path, first) in [
        ("/echo", None),
        ("/echo", Some(0x88)),
        ("/echo", Some(0x83)),
        ("/panic", Some(0x82)),
        ("/push", None),
    ] {
        let left = left_behind(path, first).await;
        println!("{path} {first:?}: {left} bytes left behind by a connection");
        assert!(left < 64.0, "{path} {first:?}: {left} bytes");
    }
    let _ = std::panic::take_hook();
    for (kind, first) in [("text", 0x81), ("binary", 0x82)] {
        for in_flight in [1, 16] {
            let allocations = per_message(first, in_flight).await;
            println!("{kind}, {in_flight} in flight: {allocations} allocations a message");
            assert!(
                allocations < 0.01,
                "{kind} ×{in_flight}: {allocations} a message"
            );
        }
    }
    let bytes = bytes_per_large_message().await;
    println!("large: {bytes} bytes a message");
    assert!(bytes < 1024.0, "large messages: {bytes} bytes each");
}
