//! Names, addresses and Unix sockets.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use wharf_client::{Client, Timeouts};

use crate::servers::{hello, serve};

#[tokio::test]
async fn names_are_resolved_and_dead_addresses_passed_over() {
    let live = serve(hello).await;
    let dead = SocketAddr::from(([127, 0, 0, 2], 1));
    let client = Client::builder()
        .resolver(move |host, port| async move {
            assert_eq!((&*host, port), ("xn--bcher-kva.example", 80));
            Ok(vec![dead, live])
        })
        .build()
        .unwrap();
    let mut socket = client.connect("ws://bücher.example/").await.unwrap();
    assert_eq!(socket.read().await.unwrap(), Some("hello".into()));
}

#[tokio::test]
async fn names_that_lead_nowhere_are_typed_errors() {
    let patience = Timeouts {
        resolve: Duration::from_millis(50),
        ..Timeouts::default()
    };
    let nobody = Client::builder().resolver(async |_, _| Ok(Vec::new()));
    let broken = Client::builder().resolver(async |_, _| Err(std::io::Error::other("broken")));
    let silent = Client::builder()
        .timeouts(patience)
        .resolver(|_, _| std::future::pending());
    for (builder, code) in [
        (nobody, "WHARF_RESOLVE"),
        (broken, "WHARF_RESOLVE"),
        (silent, "WHARF_RESOLVE_TIMEOUT"),
    ] {
        let error = builder.connect("ws://name.example/").await.unwrap_err();
        assert_eq!(error.code(), code);
    }
}

/// Nobody accepts, and the system answers no more than it has a queue for.
#[tokio::test]
async fn an_address_that_does_not_answer_is_given_up() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    let filling = Duration::from_millis(500);
    while let Ok(stream) = timeout(filling, TcpStream::connect(address)).await {
        queued.push(stream.unwrap());
    }
    let error = Client::builder()
        .timeouts(Timeouts {
            connect: Duration::from_millis(50),
            ..Timeouts::default()
        })
        .connect(format!("ws://{address}/"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "WHARF_CONNECT_TIMEOUT");
}

#[tokio::test]
async fn what_is_refused_before_any_packet() {
    let unasked = || Client::builder().resolver(async |_, _| panic!("a packet"));
    for (builder, url, code) in [
        (unasked(), "http://name.example/", "WHARF_URL"),
        (unasked(), "ws://name.example/#top", "WHARF_URL"),
        (
            unasked().header("upgrade", "h2c"),
            "ws://name.example/",
            "WHARF_CLIENT_HEADER",
        ),
        (
            unasked().header("bad name", "x"),
            "ws://name.example/",
            "WHARF_CLIENT_HEADER",
        ),
        (
            unasked().header("x", "a\r\nb: c"),
            "ws://name.example/",
            "WHARF_CLIENT_HEADER",
        ),
        (
            unasked().bearer("a\nb"),
            "ws://name.example/",
            "WHARF_CLIENT_HEADER",
        ),
        (
            unasked().bearer("t"),
            "ws://user@name.example/",
            "WHARF_CLIENT_HEADER",
        ),
    ] {
        let error = builder.connect(url).await.unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn unix_sockets_are_connected_to() {
    let path = std::env::temp_dir().join(format!("wharf-client-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        hello(stream).await;
    });
    let client = Client::builder().unix_socket(&path).build().unwrap();
    let mut socket = client.connect("ws://any.example/").await.unwrap();
    assert_eq!(socket.read().await.unwrap(), Some("hello".into()));
    std::fs::remove_file(&path).unwrap();
    let error = client.connect("ws://any.example/").await.unwrap_err();
    assert_eq!(error.code(), "WHARF_CONNECT");
}
