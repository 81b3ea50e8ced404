//! Through an HTTP proxy ([RFC 9110 §9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6)).

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use url::Host;
use wharf_sdk::{Error, Result};

use super::proxy::{Proxy, refused};
use crate::{
    handshake::{read_body, read_head},
    rejected::Rejected,
    target::basic_header,
};

/// Asks the proxy at the other end of `io` for the way to `host` and `port`.
pub(super) async fn open<IO>(
    io: &mut IO,
    proxy: &Proxy,
    host: &Host<String>,
    port: u16,
) -> Result<()>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    if let Some((user, password)) = &proxy.credentials {
        let basic = basic_header(user, password);
        let basic = basic.to_str().unwrap_or_default();
        request.push_str(&format!("Proxy-Authorization: {basic}\r\n"));
    }
    request.push_str("\r\n");
    io.write_all(request.as_bytes()).await?;
    let mut buffer = BytesMut::new();
    let head = read_head(io, &mut buffer).await.map_err(|cause| {
        refused("the proxy's answer is not HTTP; check its address").with_source(cause)
    })?;
    if !head.status.is_success() {
        let body = read_body(io, &mut buffer, &head.headers).await;
        return Err(rejected_by_proxy(Rejected::new(
            head.status,
            head.headers,
            body,
        )));
    }
    if !buffer.is_empty() {
        return Err(refused(
            "the proxy sent something in the server's place; do not trust it",
        ));
    }
    Ok(())
}

fn rejected_by_proxy(rejected: Rejected) -> Error {
    let status = rejected.status();
    let what = match status.as_u16() {
        407 => "give a user and a password that it takes, in its URL",
        403 => "it does not allow this host or port",
        _ => "check that the host is up and that it can reach it",
    };
    refused(format!(
        "the proxy answered {} and opened no way; {what}",
        status.as_u16()
    ))
    .with_status(status)
    .with_source(rejected)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn ask(answer: &'static str) -> (Result<()>, String) {
        let (mut client, mut server) = tokio::io::duplex(1024);
        let told = tokio::spawn(async move {
            let mut request = BytesMut::new();
            while !request.ends_with(b"\r\n\r\n") {
                server.read_buf(&mut request).await.expect("a request");
            }
            server.write_all(answer.as_bytes()).await.expect("taken");
            String::from_utf8(request.to_vec()).expect("text")
        });
        let proxy = Proxy::parse("http://user:pass@proxy").expect("valid");
        let host = Host::Domain("example.com".to_owned());
        let opened = open(&mut client, &proxy, &host, 443).await;
        (opened, told.await.expect("told"))
    }

    #[tokio::test]
    async fn a_way_is_asked_for_and_opened() {
        let (opened, request) = ask("HTTP/1.1 200 Connection established\r\n\r\n").await;
        opened.expect("opened");
        // As tinyproxy says it.
        let (opened, _) = ask("HTTP/1.0 200 Connection established\r\n\r\n").await;
        opened.expect("opened");
        assert_eq!(
            request,
            "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\
             Proxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n"
        );
    }

    #[tokio::test]
    async fn refusals_are_typed() {
        for (answer, status) in [
            ("HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n", 407),
            ("HTTP/1.1 502 Bad\r\ncontent-length: 2\r\n\r\nno", 502),
            ("HTTP/1.1 101 Odd\r\n\r\n", 101),
        ] {
            let error = ask(answer).await.0.expect_err("refused");
            assert_eq!(error.code(), "WHARF_PROXY");
            let rejected = Rejected::of(&error).expect("an answer");
            assert_eq!(rejected.status().as_u16(), status);
        }
        for answer in ["SSH-2.0\r\n", "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101"] {
            assert_eq!(
                ask(answer).await.0.expect_err("refused").code(),
                "WHARF_PROXY"
            );
        }
    }
}
