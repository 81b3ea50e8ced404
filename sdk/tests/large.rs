//! How much a session takes of large messages from a peer that does not read.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod echo_site;

use std::time::Duration;

use bytes::BytesMut;
use echo_site::{echo, request};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};
use wharf_sdk::{
    App, Configure, Route,
    driver::encode_client_frame,
    testing::{Answer, TestHost},
};

const MIB: usize = 1024 * 1024;

/// What a read takes at once, and what is under way in the host's pipe.
const UNDER_WAY: usize = 128 * 1024;

async fn open() -> impl AsyncRead + AsyncWrite + Unpin {
    let route = Route::new("/echo", echo).max_message_bytes(64 * MIB);
    let app = App::builder().route(route).build().unwrap();
    match TestHost::new(app).request(request()).await {
        Answer::Upgraded(_, client) => client,
        _ => panic!("not upgraded"),
    }
}

/// How many bytes are taken until a second passes without any.
async fn write_until_stuck(client: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> usize {
    let mut taken = 0;
    while let Ok(count) = timeout(Duration::from_secs(1), client.write(&bytes[taken..])).await {
        taken += count.unwrap();
    }
    taken
}

#[tokio::test(start_paused = true)]
async fn a_session_holds_what_it_sends_and_what_waits_for_it() {
    let mut client = open().await;
    let mut sent = BytesMut::new();
    for _ in 0..8 {
        encode_client_frame(&mut sent, 0x82, [1, 2, 3, 4], &vec![b'x'; MIB]);
    }
    let taken = write_until_stuck(&mut client, &sent).await;
    // The echo that is sent, and the one that its handler waits to write.
    assert!(taken > 2 * MIB, "{taken} bytes taken");
    assert!(taken < 2 * MIB + UNDER_WAY, "{taken} bytes taken");

    // Once the peer reads, everything comes back.
    let (mut reader, mut writer) = tokio::io::split(client);
    let mut echoed = vec![0; 8 * (MIB + 10)];
    let writing = writer.write_all(&sent[taken..]);
    tokio::try_join!(writing, reader.read_exact(&mut echoed)).unwrap();
    assert!(echoed.ends_with(&[b'x'; 100]));
}

#[tokio::test(start_paused = true)]
async fn small_ones_are_read_beside_it() {
    let mut client = open().await;
    let mut sent = BytesMut::new();
    for _ in 0..2 {
        encode_client_frame(&mut sent, 0x82, [1, 2, 3, 4], &vec![b'x'; MIB]);
    }
    let large_bytes = sent.len();
    for _ in 0..200 {
        encode_client_frame(&mut sent, 0x82, [1, 2, 3, 4], &[b'x'; 1024]);
    }
    let taken = write_until_stuck(&mut client, &sent).await;
    assert!(
        taken > large_bytes + 64 * 1024,
        "{} bytes of small messages taken",
        taken - large_bytes
    );
}
