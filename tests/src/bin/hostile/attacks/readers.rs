//! Sockets that do not read.

use tokio::io::AsyncWriteExt;
use wharf_conformance::client::Frame;

use crate::keep::{Held, Target, open};

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

/// They ask for more and more.
pub(crate) async fn few_stalled_readers(target: Target) -> Held {
    let texts = Frame::binary(vec![7; 16 * 1024]).to_bytes();
    target
        .keep(FEW, async |stream| {
            open(stream, "/echo").await?;
            loop {
                stream.write_all(&texts).await?;
            }
        })
        .await
}
