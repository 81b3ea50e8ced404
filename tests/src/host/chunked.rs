//! Bodies whose length is not known when they begin
//! ([RFC 9112 §7.1](https://www.rfc-editor.org/rfc/rfc9112#section-7.1)).

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Reads a chunked body whole; `body` holds what came of it already, and then what it says.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin), body: &mut BytesMut) {
    let mut raw = std::mem::take(body);
    loop {
        let line = read_line(stream, &mut raw).await;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        while raw.len() < size + 2 {
            assert!(
                more(stream, &mut raw).await,
                "the connection ended in a chunk"
            );
        }
        body.extend_from_slice(&raw.split_to(size));
        assert_eq!(&raw[..2], b"\r\n", "behind a chunk");
        raw.advance(2);
        if size == 0 {
            return;
        }
    }
}

async fn read_line(stream: &mut (impl AsyncRead + Unpin), raw: &mut BytesMut) -> String {
    loop {
        if let Some(end) = raw.windows(2).position(|pair| pair == b"\r\n") {
            let line = raw.split_to(end);
            raw.advance(2);
            return String::from_utf8(line.to_vec()).expect("a line of text");
        }
        assert!(
            more(stream, raw).await,
            "the connection ended in a chunk's head"
        );
    }
}

async fn more(stream: &mut (impl AsyncRead + Unpin), raw: &mut BytesMut) -> bool {
    stream.read_buf(raw).await.is_ok_and(|count| count > 0)
}
