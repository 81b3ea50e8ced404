//! Bodies that were announced and do not come, or do not end.

use std::{io, time::Duration};

use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};

use super::MANY;
use crate::keep::{Held, Target, upgrade};

/// A chunked body behind a request that is refused.
pub(crate) async fn chunked_post(target: Target) -> Held {
    target
        .keep(MANY, async |stream| post(stream, CHUNKED).await)
        .await
}

/// The same behind a request for a socket.
pub(crate) async fn chunked_upgrade(target: Target) -> Held {
    let head = format!("{}{CHUNKED}\r\n", upgrade("/echo"));
    target
        .keep(MANY, async |stream| stream.write_all(head.as_bytes()).await)
        .await
}

/// A chunk now and then, so that something always comes.
pub(crate) async fn trickled_body(target: Target) -> Held {
    target
        .keep(MANY, async |stream| {
            post(stream, CHUNKED).await?;
            loop {
                stream.write_all(b"1\r\nx\r\n").await?;
                sleep(Duration::from_millis(500)).await;
            }
        })
        .await
}

/// A length, and nothing of it.
pub(crate) async fn announced_body(target: Target) -> Held {
    target
        .keep(MANY, async |stream| {
            post(stream, "Content-Length: 1000000\r\n").await
        })
        .await
}

/// As fast as it is taken, without an end.
pub(crate) async fn endless_body(target: Target) -> Held {
    let chunk = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
    target
        .keep(20, async |stream| {
            post(stream, CHUNKED).await?;
            loop {
                stream.write_all(&chunk).await?;
            }
        })
        .await
}

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

async fn post(stream: &mut TcpStream, header: &str) -> io::Result<()> {
    let head = format!("POST /large HTTP/1.1\r\nHost: x\r\n{header}\r\n");
    stream.write_all(head.as_bytes()).await
}
