//! Frames that no client sends, or that are more than they seem.

use std::{cell::Cell, io, time::Duration};

use flate2::{Compress, Compression, FlushCompress};
use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use wharf_conformance::client::Frame;

use crate::{
    keep::{Held, Target, open, upgrade},
    neighbours::flood,
};

/// How many inflate at a time.
const BOMBERS: usize = 4;

/// What one of them inflates to: as much as a message may have.
const BOMB_BYTES: usize = 1024 * 1024;

/// What no client sends behind its handshake.
pub(crate) async fn odd_frames(target: Target) -> Held {
    let lives = odd();
    let next = Cell::new(0);
    target
        .keep(50, async |stream| {
            next.set((next.get() + 1) % lives.len());
            open(stream, "/echo").await?;
            let _ = timeout(Duration::from_secs(1), stream.write_all(&lives[next.get()])).await;
            let mut answer = Vec::new();
            let _ = timeout(Duration::from_millis(500), stream.read_to_end(&mut answer)).await;
            // The next one at once.
            Err(io::ErrorKind::Other.into())
        })
        .await;
    // Some did nothing that ends a socket.
    Held::new()
}

fn odd() -> Vec<Vec<u8>> {
    let one = |frame: Frame| frame.to_bytes().to_vec();
    let many = |frame: Frame, count| frame.to_bytes().repeat(count);
    let fragments = [
        one(Frame::text("x").unfinished()),
        many(Frame::continuation("x").unfinished(), 5_000),
    ];
    vec![
        one(Frame::close(1000, [b'x'; 123])),
        one(Frame::close(1000, [0xFF; 123])),
        one(Frame::close(999, "")),
        one(Frame::new(8, vec![3])),
        one(Frame::ping(vec![0; 126])),
        many(Frame::ping(vec![0; 125]), 1_000),
        many(Frame::text(""), 5_000),
        fragments.concat(),
        one(Frame::text("x").reserved(4)),
        one(Frame::text("x").unmasked()),
        one(Frame::continuation("x")),
        one(Frame::new(11, "x")),
        one(Frame::new(1, vec![0xFF; 100])),
        one(Frame::binary("x").announcing(u64::MAX)),
        one(Frame::binary("x").announcing(1 << 40)),
        one(Frame::binary("x").announcing(1 << 19)),
        "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"
            .repeat(100)
            .into_bytes(),
        vec![0; 10_000],
        vec![0xFF; 10_000],
    ]
}

/// A thousand times as much as it seems, again and again.
pub(crate) async fn deflate_bombs(target: Target) -> Held {
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n";
    let request = format!("{}{offer}\r\n", upgrade("/deflate"));
    let bomb = Frame::binary(bomb()).reserved(4).to_bytes();
    join_all((0..BOMBERS).map(|_| flood(target, &request, &bomb))).await;
    Held::new()
}

fn bomb() -> Vec<u8> {
    let mut bomb = Vec::with_capacity(64 * 1024);
    Compress::new(Compression::best(), false)
        .compress_vec(&vec![0; BOMB_BYTES], &mut bomb, FlushCompress::Sync)
        .unwrap();
    // What every flush ends with, and no message has.
    bomb.truncate(bomb.len() - 4);
    bomb
}
