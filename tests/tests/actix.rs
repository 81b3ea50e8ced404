//! The contract on actix-web, and what its server does of its own.
#![cfg(feature = "actix")]

use tokio::{io::AsyncReadExt, net::TcpStream};
use wharf_conformance::{ActixHost, Client, Request, Running, TcpServer, fixture};

wharf_conformance::conformance!(ActixHost);

async fn server(max_connections: usize) -> TcpServer {
    TcpServer::start(async move || {
        let app = fixture::app(None).expect("valid").app;
        let server = wharf_actix::bind(app, "127.0.0.1:0").await;
        let server = server.expect("a free port");
        // The oldest is looked for among a worker's own.
        let server = server.workers(1).max_connections(max_connections);
        (server.local_addr(), server.run())
    })
    .await
}

/// Where all places are taken by sockets, the next connection is told.
#[tokio::test]
async fn full_of_sockets() {
    let server = server(2).await;
    let mut first = Client::new(server.request(Request::upgrade("/echo")).await);
    let mut second = Client::new(server.request(Request::upgrade("/echo")).await);
    let answer = server.request(Request::upgrade("/echo")).await;
    answer.expect_problem(503, "WHARF_CONNECTIONS_FULL");
    first.expect_echo("still here").await;
    second.expect_echo("still here").await;
}

/// The oldest connection that is no socket makes room for the next.
#[tokio::test]
async fn full_of_strangers() {
    let server = server(2).await;
    let mut socket = Client::new(server.request(Request::upgrade("/echo")).await);
    let mut stranger = TcpStream::connect(server.address()).await.expect("room");
    let mut next = Client::new(server.request(Request::upgrade("/echo")).await);
    // Ended or reset.
    assert!(!matches!(stranger.read(&mut [0]).await, Ok(1..)));
    socket.expect_echo("still here").await;
    next.expect_echo("let in").await;
}
