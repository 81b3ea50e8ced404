//! Through proxies, and through what is none.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
};
use wharf_client::{Client, Proxy, Timeouts};
use wharf_sdk::{Error, Result, Socket};

use crate::servers::{answering, head, hello, reserved, serve, value};

/// A proxy that leads everywhere to `server`, for who has the password.
async fn http_proxy(server: SocketAddr) -> SocketAddr {
    serve(move |mut stream| async move {
        let head = head(&mut stream).await;
        let answer = match value(&head, "proxy-authorization") {
            "Basic dXNlcjpwYXNz" if head.starts_with("CONNECT far.example:80 HTTP/1.1\r\n") => {
                "HTTP/1.1 200 OK\r\n\r\n"
            }
            _ => "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n",
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
        if answer.contains("200") {
            let mut far = TcpStream::connect(server).await.unwrap();
            let _ = copy_bidirectional(&mut stream, &mut far).await;
        }
    })
    .await
}

async fn socks_proxy(server: SocketAddr) -> SocketAddr {
    serve(move |mut stream| async move {
        stream.read_exact(&mut [0; 3]).await.unwrap();
        stream.write_all(&[5, 0]).await.unwrap();
        let mut request = [0; 5 + 11 + 2];
        stream.read_exact(&mut request).await.unwrap();
        assert_eq!(&request[..], b"\x05\x01\x00\x03\x0bfar.example\x00\x50");
        stream
            .write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
            .await
            .unwrap();
        let mut far = TcpStream::connect(server).await.unwrap();
        let _ = copy_bidirectional(&mut stream, &mut far).await;
    })
    .await
}

async fn through(proxy: &str, timeouts: Timeouts) -> Result<Socket> {
    Client::builder()
        .proxy(Proxy::parse(proxy))
        .timeouts(timeouts)
        .connect("ws://far.example/")
        .await
}

#[tokio::test]
async fn both_kinds_of_proxies_lead_to_the_server() {
    let server = serve(hello).await;
    let http = http_proxy(server).await;
    let socks = socks_proxy(server).await;
    for proxy in [
        format!("http://user:pass@{http}"),
        format!("socks5://{socks}"),
    ] {
        let mut socket = through(&proxy, Timeouts::default()).await.unwrap();
        assert_eq!(socket.read().await.unwrap(), Some("hello".into()));
    }
}

#[tokio::test]
async fn proxies_that_refuse_are_typed_errors() {
    let server = serve(hello).await;
    let http = http_proxy(server).await;
    let nonsense = answering("nonsense").await;
    let silent = serve(|mut stream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let (_reserved, gone) = reserved();
    let brief = Timeouts {
        proxy: Duration::from_millis(200),
        ..Timeouts::default()
    };
    for (proxy, code) in [
        (format!("http://user:wrong@{http}"), "WHARF_PROXY"),
        (format!("http://{nonsense}"), "WHARF_PROXY"),
        (format!("http://{silent}"), "WHARF_PROXY_TIMEOUT"),
        (format!("socks5://{silent}"), "WHARF_PROXY_TIMEOUT"),
        (format!("http://{gone}"), "WHARF_CONNECT"),
        ("ftp://proxy".into(), "WHARF_PROXY_URL"),
    ] {
        let timeouts = match code {
            "WHARF_PROXY_TIMEOUT" => brief,
            _ => Timeouts::default(),
        };
        let error: Error = through(&proxy, timeouts).await.unwrap_err();
        assert_eq!(error.code(), code, "{proxy}: {error:?}");
        assert!(!format!("{error:?}").contains("wrong"), "the password");
    }
}
