//! The head of an answer, off the wire.

use bytes::{Buf, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt};
use wharf_sdk::{Error, ErrorKind, Result};

/// The largest head that is read, those of interim answers included.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// The largest number of header lines.
const MAX_HEADERS: usize = 100;

/// A parsed head.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
}

/// Reads a final answer's head; what came behind it stays in `buffer`.
///
/// Interim answers (100, 103) are passed over, as HTTP wants it; 101 is final.
pub(crate) async fn read_head<IO>(io: &mut IO, buffer: &mut BytesMut) -> Result<Head>
where
    IO: AsyncRead + Unpin,
{
    let mut passed_bytes = 0;
    loop {
        while let Some((head, head_bytes)) = parse(buffer)? {
            buffer.advance(head_bytes);
            passed_bytes += head_bytes;
            if head.status == StatusCode::SWITCHING_PROTOCOLS || !head.status.is_informational() {
                return Ok(head);
            }
        }
        if passed_bytes + buffer.len() >= MAX_HEAD_BYTES {
            return Err(malformed("the answer's head is over 32 KiB"));
        }
        if io.read_buf(buffer).await? == 0 {
            return Err(Error::new(
                ErrorKind::Io,
                "WHARF_CLIENT_ANSWER",
                "the server ended the connection without an answer; try again, and check that \
                 something that speaks HTTP listens there",
            ));
        }
    }
}

/// The head at the front, with its length; `None` if it is not complete.
fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut lines);
    let head_bytes = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(head_bytes)) => head_bytes,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(cause) => return Err(malformed("the answer is not HTTP").with_source(cause)),
    };
    let status = parsed
        .code
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or_else(|| malformed("the answer has no valid status"))?;
    // Proxies answer, and refuse, in HTTP/1.0; nobody upgrades in it.
    let may_be_old = status != StatusCode::SWITCHING_PROTOCOLS;
    if !(parsed.version == Some(1) || may_be_old && parsed.version == Some(0)) {
        return Err(malformed("the answer is not HTTP/1.1"));
    }
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for line in parsed.headers.iter() {
        let name = HeaderName::from_bytes(line.name.as_bytes());
        let value = HeaderValue::from_bytes(line.value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(malformed("a header line of the answer is malformed"));
        };
        headers.append(name, value);
    }
    Ok(Some((Head { status, headers }, head_bytes)))
}

pub(super) fn malformed(what: &'static str) -> Error {
    Error::new(
        ErrorKind::Protocol,
        "WHARF_CLIENT_ANSWER",
        format!("{what}; check that the address is that of a WebSocket server"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Result<(Head, BytesMut)> {
        let mut rest = BytesMut::new();
        let mut io = bytes;
        let head = read_head(&mut io, &mut rest).await?;
        rest.extend_from_slice(io);
        Ok((head, rest))
    }

    #[tokio::test]
    async fn what_follows_the_head_is_kept() {
        let (head, rest) = read(b"HTTP/1.1 101 \r\nUpgrade: x\r\n\r\n\x81\x00")
            .await
            .expect("complete");
        assert_eq!(head.status, 101);
        assert_eq!(head.headers["upgrade"], "x");
        assert_eq!(&rest[..], b"\x81\x00");
    }

    #[tokio::test]
    async fn interim_answers_are_passed_over() {
        let (head, rest) = read(b"HTTP/1.1 103 Early\r\na: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody")
            .await
            .expect("complete");
        assert_eq!((head.status.as_u16(), &rest[..]), (200, &b"body"[..]));
        assert!(head.headers.is_empty());
    }

    #[tokio::test]
    async fn what_is_not_an_answer_is_refused() {
        let endless = [b"HTTP/1.1 200 OK\r\n".to_vec(), b"a: b\r\n".repeat(20_000)].concat();
        let long = [b"HTTP/1.1 200 OK\r\na: ".to_vec(), vec![b'x'; 64 * 1024]].concat();
        let interim = b"HTTP/1.1 103 Early\r\n\r\n".repeat(10_000);
        for wrong in [
            &b""[..],
            b"HTTP/1.1 101",
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            b"HTTP/1.0 101 OK\r\n\r\n",
            b"HTTP/2 101 OK\r\n\r\n",
            b"HTTP/1.1 1 OK\r\n\r\n",
            b"HTTP/1.1 101 OK\r\na\r\n\r\n",
            b"HTTP/1.1 101 OK\r\na: b\x01\r\n\r\n",
            b"HTTP/1.1 101 OK\r\na: b\r\n c\r\n\r\n",
            &endless,
            &long,
            &interim,
        ] {
            let error = read(wrong).await.expect_err("not an answer");
            assert_eq!(error.code(), "WHARF_CLIENT_ANSWER");
        }
    }
}
