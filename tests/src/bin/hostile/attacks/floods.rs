//! Frames as fast as they are taken.

use futures::future::join_all;
use wharf_conformance::client::Frame;

use crate::{
    keep::{Held, Target, upgrade},
    neighbours::flood,
};

const FLOODERS: usize = 8;

pub(crate) async fn pings(target: Target) -> Held {
    all(target, &Frame::ping(vec![7; 100])).await
}

pub(crate) async fn pongs(target: Target) -> Held {
    all(target, &Frame::pong("")).await
}

/// Empty fragments of one message: a connection each time, as the limit ends it.
pub(crate) async fn fragments(target: Target) -> Held {
    all(target, &Frame::text("").unfinished()).await
}

/// Close frames without an end.
pub(crate) async fn closes(target: Target) -> Held {
    all(target, &Frame::close(1000, "")).await
}

pub(crate) async fn texts(target: Target) -> Held {
    all(target, &Frame::text("x")).await
}

async fn all(target: Target, frame: &Frame) -> Held {
    let request = format!("{}\r\n", upgrade("/echo"));
    let chunk = frame.to_bytes().repeat(500);
    join_all((0..FLOODERS).map(|_| flood(target, &request, &chunk))).await;
    Held::new()
}
