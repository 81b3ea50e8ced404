//! Sockets that do not read.

use tokio::io::AsyncWriteExt;
use wharf_conformance::client::Frame;

use crate::keep::{Held, Target, open, upgrade};

/// How many of them in a crowd.
pub(crate) const CROWD: usize = 1_000;

/// How many where descriptors are few: as sockets they are not put out before their deadline.
const FEW: usize = 100;

/// They are sent more and more.
pub(crate) async fn stalled_readers(target: Target) -> Held {
    target
        .keep(CROWD, async |stream| open(stream, "/push").await)
        .await
}

/// The same without sockets: they are sent events.
pub(crate) async fn stalled_events(target: Target) -> Held {
    let request = "GET /push HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n";
    target
        .keep(FEW, async |stream| {
            stream.write_all(request.as_bytes()).await
        })
        .await
}

/// They do not even read their 101, and go on sending.
pub(crate) async fn unread_upgrades(target: Target) -> Held {
    let request = format!("{}\r\n", upgrade("/push"));
    let texts = Frame::binary(vec![7; 16 * 1024]).to_bytes();
    target
        .keep(FEW, async |stream| {
            stream.write_all(request.as_bytes()).await?;
            loop {
                stream.write_all(&texts).await?;
            }
        })
        .await
}

/// They are sent more and more, and send as much as is taken.
pub(crate) async fn few_stalled_readers(target: Target) -> Held {
    let texts = Frame::binary(vec![7; 16 * 1024]).to_bytes();
    target
        .keep(FEW, async |stream| {
            open(stream, "/push").await?;
            loop {
                stream.write_all(&texts).await?;
            }
        })
        .await
}
