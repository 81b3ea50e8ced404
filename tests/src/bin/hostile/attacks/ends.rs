//! Connections that end in the middle, or half.

use std::{cell::Cell, io};

use tokio::io::AsyncWriteExt;
use wharf_conformance::client::Frame;

use super::MANY;
use crate::keep::{Held, Target, open, upgrade};

/// The half of a head, and then only listening.
pub(crate) async fn half_closed_head(target: Target) -> Held {
    let half = upgrade("/echo");
    target
        .keep(MANY, async |stream| {
            stream.write_all(half.as_bytes()).await?;
            stream.shutdown().await
        })
        .await
}

/// A socket, and then only listening.
pub(crate) async fn half_closed_socket(target: Target) -> Held {
    target
        .keep(MANY, async |stream| {
            open(stream, "/echo").await?;
            stream.shutdown().await
        })
        .await
}

/// A request whose answer finds nobody who speaks, only one who listens and does not read.
pub(crate) async fn half_closes(target: Target) -> Held {
    target
        .keep(MANY, async |stream| {
            stream
                .write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
                .await?;
            stream.shutdown().await
        })
        .await
}

/// A reset after any number of bytes of a short life.
pub(crate) async fn resets(target: Target) -> Held {
    let life = [
        format!("{}\r\n", upgrade("/echo")).into_bytes(),
        Frame::text("hello").to_bytes().to_vec(),
        Frame::ping("ping").to_bytes().to_vec(),
        Frame::text("a fragment").unfinished().to_bytes().to_vec(),
        Frame::close(1000, "").to_bytes().to_vec(),
    ]
    .concat();
    let stage = Cell::new(0);
    target
        .keep(50, async |stream| {
            stage.set((stage.get() + 1) % (life.len() + 1));
            stream.write_all(&life[..stage.get()]).await?;
            stream.set_zero_linger()?;
            tokio::task::yield_now().await;
            Err(io::ErrorKind::Other.into())
        })
        .await
}

/// Requests of those who are gone before the answer.
pub(crate) async fn vanishing_requests(target: Target) -> Held {
    let request = format!("{}\r\n", upgrade("/push"));
    target
        .keep(50, async |stream| {
            stream.write_all(request.as_bytes()).await?;
            Err(io::ErrorKind::Other.into())
        })
        .await
}
