//! Request heads that do not end, or are none.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};

use super::MANY;
use crate::keep::{Held, Target, upgrade};

/// Nothing at all.
pub(crate) async fn silence(target: Target) -> Held {
    target.keep(MANY, async |_| Ok(())).await
}

/// The half of a head.
pub(crate) async fn half_heads(target: Target) -> Held {
    let half = upgrade("/echo");
    target
        .keep(MANY, async |stream| stream.write_all(half.as_bytes()).await)
        .await
}

/// A head a byte at a time, so that something always comes.
pub(crate) async fn trickled_heads(target: Target) -> Held {
    target
        .keep(MANY, async |stream| {
            stream.write_all(b"GET /echo HTTP/1.1\r\n").await?;
            loop {
                stream.write_all(b"x: y\r\n").await?;
                sleep(Duration::from_millis(500)).await;
            }
        })
        .await
}

/// What no client sends.
pub(crate) async fn odd_heads(target: Target) -> Held {
    let heads = odd();
    let next = std::cell::Cell::new(0);
    target
        .keep(50, async |stream| {
            next.set((next.get() + 1) % heads.len());
            let _ = timeout(Duration::from_secs(1), stream.write_all(&heads[next.get()])).await;
            let mut answer = Vec::new();
            let _ = timeout(Duration::from_millis(500), stream.read_to_end(&mut answer)).await;
            // The next one at once.
            Err(std::io::ErrorKind::Other.into())
        })
        .await
}

fn odd() -> Vec<Vec<u8>> {
    let upgrade = upgrade("/echo");
    let head = |lines: &str| format!("{upgrade}{lines}\r\n").into_bytes();
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes();
    let mut raw = b"GET /\xff\xfe\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
    raw.extend_from_slice(&[0; 1_000]);
    vec![
        head(&format!("x: {}\r\n", "y".repeat(1 << 20))),
        head(&"x: y\r\n".repeat(10_000)),
        head("no colon here\r\n"),
        head(" folded\r\n"),
        head("Content-Length: 5\r\nContent-Length: 6\r\n"),
        head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        head("Content-Length: -1\r\n"),
        head("Content-Length: 99999999999999999999\r\n"),
        head("Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n"),
        head("Expect: 100-continue\r\nContent-Length: 10\r\n"),
        head("Sec-WebSocket-Protocol: \u{e9}\r\n"),
        head(&format!(
            "Sec-WebSocket-Protocol: {}\r\n",
            "a,".repeat(30_000)
        )),
        head(&"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n".repeat(50)),
        get(&format!("/{}", "a".repeat(70_000))),
        get(&"/../".repeat(1_000)),
        get("http://[::1"),
        get("*"),
        get("/\r"),
        raw,
        b"GET /\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20),
        b"\n".repeat(100_000),
        b"\0".repeat(100_000),
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        "X".repeat(200_000).into_bytes(),
    ]
}
