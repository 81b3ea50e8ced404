//! Answers of plain HTTP that nobody reads.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::sleep,
};

use super::MANY;
use crate::keep::{Held, Target, read_head};

/// Requests behind each other, as many as are taken.
pub(crate) async fn pipelined(target: Target) -> Held {
    let requests = "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2_000);
    target
        .keep(MANY, async |stream| {
            loop {
                stream.write_all(requests.as_bytes()).await?;
            }
        })
        .await
}

/// One answer that is larger than what the kernels hold.
pub(crate) async fn large_answer(target: Target) -> Held {
    target
        .keep(MANY, async |stream| stream.write_all(LARGE).await)
        .await
}

/// The same, read so slowly that something is always taken.
pub(crate) async fn trickled_answer(target: Target) -> Held {
    target
        .keep(MANY, async |stream| {
            stream.write_all(LARGE).await?;
            loop {
                stream.read_u8().await?;
                sleep(Duration::from_millis(200)).await;
            }
        })
        .await
}

/// A connection that is kept alive and not used.
pub(crate) async fn idle_keep_alive(target: Target) -> Held {
    target
        .keep(MANY, async |stream| {
            let request = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n";
            stream.write_all(request).await?;
            read_head(stream).await
        })
        .await
}

const LARGE: &[u8] = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
