//! The body of an answer that is no 101, as much of it as is worth keeping.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, header};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{Instant, timeout_at},
};

/// More of a body is not kept.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// A refusal is not held up for longer than this by the words that explain it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reads the body; `buffer` holds what came behind the head. What is late, damaged or too much
/// is left out: it only explains a refusal.
pub(crate) async fn read_body<IO>(io: &mut IO, buffer: &mut BytesMut, headers: &HeaderMap) -> Bytes
where
    IO: AsyncRead + Unpin,
{
    let is_chunked = headers.contains_key(header::TRANSFER_ENCODING);
    let wanted = match content_bytes(headers) {
        Some(bytes) if !is_chunked => bytes.min(MAX_BODY_BYTES),
        _ => MAX_BODY_BYTES,
    };
    let until = Instant::now() + PATIENCE;
    while buffer.len() < wanted && !(is_chunked && has_ended(buffer)) {
        match timeout_at(until, io.read_buf(buffer)).await {
            Ok(Ok(1..)) => {}
            _ => break,
        }
    }
    if is_chunked {
        return without_chunks(buffer).0;
    }
    buffer.truncate(wanted);
    buffer.split().freeze()
}

fn content_bytes(headers: &HeaderMap) -> Option<usize> {
    let value = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?;
    value.trim().parse().ok()
}

fn has_ended(chunks: &[u8]) -> bool {
    without_chunks(chunks).1
}

/// What the chunks hold, and whether the last one has come.
fn without_chunks(mut chunks: &[u8]) -> (Bytes, bool) {
    let mut body = BytesMut::new();
    while let Ok(httparse::Status::Complete((head_bytes, size))) =
        httparse::parse_chunk_size(chunks)
    {
        chunks.advance(head_bytes);
        if size == 0 {
            return (body.freeze(), true);
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let taken = size.min(chunks.len()).min(MAX_BODY_BYTES - body.len());
        body.extend_from_slice(&chunks[..taken]);
        if chunks.len() < size.saturating_add(2) || taken < size {
            break;
        }
        chunks.advance(size + 2);
    }
    (body.freeze(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(header: (&'static str, &'static str), mut bytes: &[u8]) -> Bytes {
        let mut headers = HeaderMap::new();
        headers.insert(header.0, header.1.parse().expect("valid"));
        read_body(&mut bytes, &mut BytesMut::new(), &headers).await
    }

    #[tokio::test]
    async fn bodies_end_where_they_say() {
        assert_eq!(read(("content-length", "3"), b"abcdef").await, "abc");
        assert_eq!(read(("content-length", "9"), b"abcdef").await, "abcdef");
        assert_eq!(read(("server", "x"), b"abcdef").await, "abcdef");
        let chunks = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\nmore";
        assert_eq!(
            read(("transfer-encoding", "chunked"), chunks).await,
            "abcde"
        );
        assert_eq!(
            read(("transfer-encoding", "chunked"), b"ff\r\nab").await,
            "ab"
        );
        assert_eq!(
            read(("transfer-encoding", "chunked"), b"nonsense").await,
            ""
        );
        let huge = b"ffffffffffffffff\r\nab";
        assert_eq!(read(("transfer-encoding", "chunked"), huge).await, "ab");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_late_is_left_out() {
        let (mut client, mut server) = tokio::io::duplex(64);
        tokio::io::AsyncWriteExt::write_all(&mut server, b"some")
            .await
            .expect("room");
        let body = read_body(&mut client, &mut BytesMut::new(), &HeaderMap::new()).await;
        assert_eq!(body, "some");
    }

    #[tokio::test]
    async fn no_more_than_the_limit_is_kept() {
        let endless = vec![b'x'; 3 * MAX_BODY_BYTES];
        assert_eq!(read(("server", "x"), &endless).await.len(), MAX_BODY_BYTES);
    }
}
