//! Peers of server-sent events that read nothing, on every server: the session ends at its write
//! deadline, as a socket's does, and the connection with it.
#![cfg(all(feature = "actix", feature = "axum", feature = "hyper"))]

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use wharf_conformance::{TcpServer, client::PATIENCE, fixture::Events};
use wharf_sdk::{App, Configure, Result, Route, Socket};

const PAUSE: Duration = Duration::from_millis(300);

const REQUEST: &[u8] = b"GET /push HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n";

/// An app that says more than anybody's buffers hold.
fn app(events: &Events) -> App {
    let push = async |mut socket: Socket| -> Result<()> {
        loop {
            socket.write("x".repeat(16 * 1024)).await?;
        }
    };
    let route = Route::new("/push", push).server_sent_events();
    App::builder()
        .observer(events.clone())
        .write_deadline(PAUSE)
        .route(route)
        .build()
        .expect("a valid app")
}

/// A connection that takes little ahead of its reader.
async fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(8 * 1024).expect("a size");
    socket.connect(address).await.expect("accepted")
}

/// Reads nothing until the session has ended, and then what is left.
async fn check(server: &TcpServer, app: &App, events: &Events) {
    let mut stalled = connect(server.address()).await;
    stalled.write_all(REQUEST).await.expect("sent");
    let failed = events.only("failed").await;
    failed.expect_error("WHARF_WRITE_DEADLINE", "session");
    events
        .only("closed")
        .await
        .expect_outcome(1006, false, "server");
    let ending = async {
        let mut left = [0; 64 * 1024];
        while stalled.read(&mut left).await.is_ok_and(|count| count > 0) {}
    };
    timeout(PATIENCE, ending).await.expect("an end in time");
    assert_eq!(app.handle().connections(), 0);
}

#[tokio::test]
async fn on_hyper() {
    let events = Events::default();
    let app = app(&events);
    let served = app.clone();
    let server = TcpServer::start(async move || {
        let server = wharf_hyper::server(served).tcp("127.0.0.1:0");
        // What is left of the answer then waits for another request no longer than this.
        let server = server.head_timeout(10 * PAUSE);
        let server = server.bind().await.expect("a port");
        (server.local_addr(), server.run())
    });
    check(&server.await, &app, &events).await;
}

#[tokio::test]
async fn on_axum() {
    let events = Events::default();
    let app = app(&events);
    let served = app.clone();
    let server = TcpServer::start(async move || {
        let server = wharf_axum::server(served).tcp("127.0.0.1:0");
        // What is left of the answer then waits for another request no longer than this.
        let server = server.head_timeout(10 * PAUSE);
        let server = server.bind().await.expect("a port");
        (server.local_addr(), server.run())
    });
    check(&server.await, &app, &events).await;
}

#[tokio::test]
async fn on_actix() {
    let events = Events::default();
    let app = app(&events);
    let served = app.clone();
    let server = TcpServer::start(async move || {
        let server = wharf_actix::bind(served, "127.0.0.1:0")
            .await
            .expect("a port");
        (server.local_addr(), server.run())
    });
    check(&server.await, &app, &events).await;
}
