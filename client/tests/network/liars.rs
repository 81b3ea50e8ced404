//! Servers that break the rules, in the handshake and behind it.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wharf_client::{Client, Rejected, Timeouts};
use wharf_sdk::{
    CloseCode, Configure, ErrorKind, Observer, SessionInfo, Subprotocols, observer::Rejection,
};

use crate::servers::{accepting, answering, head, hello, serve};

#[tokio::test]
async fn an_honest_server_is_heard() {
    let address = serve(hello).await;
    let mut socket = wharf_client::connect(format!("ws://{address}/"))
        .await
        .unwrap();
    assert_eq!(socket.info().peer(), Some(address));
    // It came with the 101.
    assert_eq!(socket.read().await.unwrap(), Some("hello".into()));
    assert_eq!(socket.read().await.unwrap(), None);
    socket.closed().await;
    assert!(socket.outcome().unwrap().clean);
}

#[tokio::test]
async fn refusals_say_what_the_server_said() {
    let address = answering(
        "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\n\
         4\r\nbusy\r\n0\r\n\r\n",
    )
    .await;
    let error = wharf_client::connect(format!("ws://{address}/"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let rejected = Rejected::of(&error).unwrap();
    assert_eq!(
        (rejected.status().as_u16(), &rejected.body()[..]),
        (503, &b"busy"[..])
    );
    assert_eq!(rejected.retry_after(), Some(Duration::from_secs(7)));

    let address = answering("HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer\r\n\r\nno").await;
    let error = wharf_client::connect(format!("ws://{address}/"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    let rejected = Rejected::of(&error).unwrap();
    assert_eq!(rejected.headers()["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn a_body_without_an_end_is_cut() {
    let address = serve(|mut stream| async move {
        head(&mut stream).await;
        let mut bytes = b"HTTP/1.1 500 Oops\r\n\r\n".to_vec();
        bytes.resize(300_000, b'x');
        while stream.write_all(&bytes).await.is_ok() {}
    })
    .await;
    let error = wharf_client::connect(format!("ws://{address}/"))
        .await
        .unwrap_err();
    assert_eq!(Rejected::of(&error).unwrap().body().len(), 64 * 1024);
}

#[tokio::test]
async fn a_required_subprotocol_must_come() {
    let address = serve(hello).await;
    let error = Client::builder()
        .subprotocols(Subprotocols::required(["chat"]))
        .connect(format!("ws://{address}/"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "WHARF_CLIENT_SUBPROTOCOL");
}

/// Frames that a server must not send.
#[tokio::test]
async fn violations_behind_the_handshake_are_closed() {
    for (bytes, code) in [
        (&b"\x81\x82\x01\x02\x03\x04ab"[..], CloseCode::PROTOCOL),
        (b"\xc1\x01a", CloseCode::PROTOCOL),
        (b"\x83\x00", CloseCode::PROTOCOL),
        (b"\x81\x01\xff", CloseCode::INVALID_PAYLOAD),
        (b"\x88\x02\x03\xed", CloseCode::PROTOCOL),
        (
            b"\x82\x7f\x00\x00\x00\x01\x00\x00\x00\x00",
            CloseCode::TOO_BIG,
        ),
    ] {
        let address = serve(move |mut stream| async move {
            let head = head(&mut stream).await;
            stream
                .write_all(accepting(&head, "").as_bytes())
                .await
                .unwrap();
            stream.write_all(bytes).await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        })
        .await;
        let mut socket = wharf_client::connect(format!("ws://{address}/"))
            .await
            .unwrap();
        assert_eq!(socket.read().await.unwrap(), None);
        socket.closed().await;
        assert_eq!(socket.outcome().unwrap().code, code, "{bytes:?}");
    }
}

/// Every frame of a client is masked, each with a key of its own.
#[tokio::test]
async fn frames_are_masked_with_fresh_keys() {
    let (told, heard) = tokio::sync::oneshot::channel();
    let told = std::sync::Mutex::new(Some(told));
    let address = serve(move |mut stream| {
        let told = told.lock().unwrap().take();
        async move {
            let head = head(&mut stream).await;
            stream
                .write_all(accepting(&head, "").as_bytes())
                .await
                .unwrap();
            let mut frames = [0; 2 * (2 + 4 + 4)];
            stream.read_exact(&mut frames).await.unwrap();
            told.unwrap().send(frames).unwrap();
        }
    })
    .await;
    let mut socket = wharf_client::connect(format!("ws://{address}/"))
        .await
        .unwrap();
    socket.write("same").await.unwrap();
    socket.write("same").await.unwrap();
    let frames = heard.await.unwrap();
    let (one, two) = frames.split_at(10);
    assert_eq!((&one[..2], &two[..2]), (&b"\x81\x84"[..], &b"\x81\x84"[..]));
    assert_ne!(one[2..6], two[2..6], "the same key twice");
    for frame in [one, two] {
        let plain: Vec<u8> = (0..4).map(|at| frame[6 + at] ^ frame[2 + at]).collect();
        assert_eq!(plain, b"same");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let address = serve(|mut stream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let patience = Duration::from_millis(50);
    let steps = Timeouts {
        handshake: patience,
        ..Timeouts::default()
    };
    let all = Timeouts {
        all: patience,
        ..Timeouts::default()
    };
    for (timeouts, code) in [
        (steps, "WHARF_HANDSHAKE_TIMEOUT"),
        (all, "WHARF_DIAL_TIMEOUT"),
    ] {
        let error = Client::builder()
            .timeouts(timeouts)
            .connect(format!("ws://{address}/"))
            .await
            .unwrap_err();
        assert_eq!((error.code(), error.kind()), (code, ErrorKind::Timeout));
    }
}

/// Hears of what did not become a socket.
#[derive(Clone, Default)]
struct Refusals(std::sync::Arc<std::sync::Mutex<Vec<(u16, String, String)>>>);

impl Observer for Refusals {
    fn upgraded(&self, session: &SessionInfo) {
        panic!("{session:?} is none");
    }

    fn rejected(&self, rejection: &Rejection<'_>) {
        let context = rejection.context;
        assert_eq!(context.driver(), "client");
        assert_eq!(context.query(), Some("token=x"));
        self.0.lock().unwrap().push((
            rejection.status.as_u16(),
            rejection.error.unwrap().code().to_owned(),
            context.route().to_owned(),
        ));
    }
}

/// Whatever keeps a connection from being made, the observers are told of it once.
#[tokio::test]
async fn what_is_refused_is_told() {
    let refusals = Refusals::default();
    let client = Client::builder()
        .observer(refusals.clone())
        .resolver(async |_, _| Ok(Vec::new()))
        .build()
        .unwrap();
    let busy = answering("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").await;
    let liar = answering("nonsense").await;
    for host in [&*busy.to_string(), &liar.to_string(), "nowhere.example"] {
        client
            .connect(format!("ws://{host}/a?token=x"))
            .await
            .unwrap_err();
    }
    // It cannot be asked for, so nobody refuses it.
    client.connect("http://name.example/").await.unwrap_err();
    let expected = [
        (503, "WHARF_CLIENT_REJECTED", format!("ws://{busy}/a")),
        (500, "WHARF_CLIENT_ANSWER", format!("ws://{liar}/a")),
        (500, "WHARF_RESOLVE", "ws://nowhere.example/a".to_owned()),
    ];
    let expected = expected.map(|(status, code, route)| (status, code.to_owned(), route));
    assert_eq!(*refusals.0.lock().unwrap(), expected);
}
