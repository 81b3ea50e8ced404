//! The client's half of a connection: the same session in the other role.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod echo_site;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use echo_site::{echo, request};
use http::Extensions;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use wharf_sdk::{
    App, CloseCode, Context, Initiator, Limits, Message, Result, Route, Socket,
    driver::{Connection, DialObservers, Dialled, Dialling},
    testing::{Answer, Event, Recorder, TestHost},
};

const KEY: [u8; 4] = [1, 2, 3, 4];

fn dialled() -> Dialled {
    Dialling::new("ws://test/echo").answered(Arc::new(Limits::default()), || KEY)
}

/// A socket to a server that does what `handler` does.
async fn to_server(recorder: &Recorder) -> Socket {
    let app = App::builder()
        .observer(recorder.clone())
        .route(Route::new("/echo", echo))
        .build()
        .unwrap();
    let Answer::Upgraded(_, io) = TestHost::new(app).request(request()).await else {
        panic!("refused");
    };
    open(io)
}

fn open(io: DuplexStream) -> Socket {
    let (session, socket) = dialled().open(Connection::new(io));
    tokio::spawn(session);
    socket
}

#[tokio::test(start_paused = true)]
async fn both_roles_speak_with_each_other() {
    let mut socket = to_server(&Recorder::default()).await;
    for size in [0, 5, 126, 70_000] {
        let payload = Bytes::from(vec![7; size]);
        socket.write(payload.clone()).await.unwrap();
        assert_eq!(socket.read().await.unwrap(), Some(payload.clone().into()));
        assert!(payload.iter().all(|byte| *byte == 7), "masking changed it");
    }
    socket.close(4000, "bye").await.unwrap();
    let outcome = socket.outcome().unwrap();
    assert_eq!((outcome.code, outcome.clean), (CloseCode::new(4000), true));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_socket_closes_with_1001() {
    let recorder = Recorder::default();
    let socket = to_server(&recorder).await;
    let sender = socket.sender();
    sender.send("last words").await.unwrap();
    drop(socket);
    tokio::time::sleep(Duration::from_millis(10)).await;
    let outcome = recorder.outcomes().remove(0);
    assert_eq!(outcome.code, CloseCode::GOING_AWAY);
    assert_eq!((outcome.clean, outcome.initiator), (true, Initiator::Peer));
    assert_eq!(
        sender.send("too late").await.unwrap_err().code(),
        "WHARF_CLOSED"
    );
}

/// A server that does not answer the close of a dropped socket is waited for no longer than that.
#[tokio::test(start_paused = true)]
async fn a_dropped_socket_is_gone_within_the_close_timeout() {
    let (mut server, io) = tokio::io::duplex(1024);
    let (session, socket) = dialled().open(Connection::new(io));
    let session = tokio::spawn(session);
    drop(socket);
    let outcome = tokio::time::timeout(Duration::from_secs(6), session).await;
    assert!(!outcome.unwrap().unwrap().clean);
    let mut frame = Vec::new();
    server.read_to_end(&mut frame).await.unwrap();
    assert_eq!(frame, [0x88, 0x82, 1, 2, 3, 4, 3 ^ 1, 0xE9 ^ 2]);
}

/// What came before the end can be read however late, and holds no task up.
#[tokio::test(start_paused = true)]
async fn messages_before_the_end_can_be_read_behind_it() {
    let (mut server, io) = tokio::io::duplex(1024);
    let (session, mut socket) = dialled().open(Connection::new(io));
    let session = tokio::spawn(session);
    let bytes = b"\x81\x03one\x81\x03two\x88\x02\x03\xe8";
    server.write_all(bytes).await.unwrap();
    drop(server);
    session.await.unwrap();
    let mut read = Vec::new();
    while let Some(message) = socket.read().await.unwrap() {
        read.push(message);
    }
    assert_eq!(read, [Message::from("one"), Message::from("two")]);
}

/// The server ends the connection, the client waits for that, and not for ever.
#[tokio::test(start_paused = true)]
async fn the_server_ends_the_connection_first() {
    let (mut server, io) = tokio::io::duplex(1024);
    let (session, _socket) = dialled().open(Connection::new(io));
    let session = tokio::spawn(session);
    server.write_all(b"\x88\x02\x03\xe8").await.unwrap();
    let mut answer = [0; 8];
    server.read_exact(&mut answer).await.unwrap();
    let more = tokio::time::timeout(Duration::from_millis(900), server.read(&mut answer)).await;
    assert!(more.is_err(), "the client ended the connection first");
    let outcome = session.await.unwrap();
    assert_eq!((outcome.code, outcome.clean), (CloseCode::NORMAL, true));
}

#[tokio::test(start_paused = true)]
async fn a_masked_frame_of_the_server_is_1002() {
    let (mut server, io) = tokio::io::duplex(1024);
    let (session, mut socket) = dialled().open(Connection::new(io));
    let session = tokio::spawn(session);
    server
        .write_all(b"\x81\x82\x01\x02\x03\x04ab")
        .await
        .unwrap();
    assert_eq!(socket.read().await.unwrap(), None);
    assert_eq!(session.await.unwrap().code, CloseCode::PROTOCOL);
}

/// A server's own handler runs on the side that dialled, and takes its arguments out of the request.
#[tokio::test(start_paused = true)]
async fn a_servers_handler_serves_the_clients_side() {
    async fn ask(context: Context, mut socket: Socket) -> Result<()> {
        socket.write(format!("I asked {}", context.path())).await?;
        assert!(socket.read().await?.is_some());
        Ok(())
    }
    let recorder = Recorder::default();
    let app = App::builder()
        .route(Route::new("/echo", echo))
        .build()
        .unwrap();
    let Answer::Upgraded(_, io) = TestHost::new(app).request(request()).await else {
        panic!("refused");
    };
    let state = Arc::new(Extensions::new());
    let session = Dialling::new("ws://test/echo")
        .with_observers(DialObservers::new(vec![Arc::new(recorder.clone())]))
        .answered(Arc::new(Limits::default()), || KEY)
        .serve(Connection::new(io), &ask, request(), state)
        .await
        .unwrap();
    let outcome = session.await;
    assert_eq!(outcome.code, CloseCode::NORMAL);
    assert_eq!(
        recorder.events(),
        [
            Event::Upgraded("ws://test/echo".into()),
            Event::Closed("ws://test/echo".into(), outcome)
        ]
    );
}
