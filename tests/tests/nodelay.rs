//! Small messages leave at once: `TCP_NODELAY` is set on whatever Wharf accepts and dials. The
//! system's own word for it, of sockets deep inside of servers.
#![cfg(all(
    target_os = "linux",
    feature = "actix",
    feature = "axum",
    feature = "hyper",
    feature = "client"
))]

use std::{fs, net::SocketAddr, os::fd::OwnedFd};

use rustix::{
    net::{getpeername, getsockname, sockopt::tcp_nodelay},
    process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use wharf_conformance::{
    ActixTlsHost, Certificate, Client, NestedAxumHost, Request, Running, TcpServer, fixture,
};
use wharf_sdk::App;

fn app() -> App {
    fixture::app(None).expect("valid").app
}

/// Another handle to each descriptor of this process that is a connection.
fn connections() -> Vec<OwnedFd> {
    let own = pidfd_open(getpid(), PidfdFlags::empty()).expect("Linux 5.6");
    let descriptors = fs::read_dir("/proc/self/fd").expect("Linux");
    let numbers = descriptors.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let copied =
        numbers.filter_map(|number| pidfd_getfd(&own, number, PidfdGetfdFlags::empty()).ok());
    copied.filter(|copy| getpeername(copy).is_ok()).collect()
}

/// Whether every connection that was accepted at this address sends at once; `None` without any.
fn accepted_at(address: SocketAddr) -> Option<bool> {
    let here = |copy: &OwnedFd| {
        let own = getsockname(copy)
            .ok()
            .and_then(|own| SocketAddr::try_from(own).ok());
        own == Some(address)
    };
    all_send_at_once(here)
}

/// The same of those that were dialled.
fn dialled_to(address: SocketAddr) -> Option<bool> {
    let there = |copy: &OwnedFd| {
        let peer = getpeername(copy).ok().flatten();
        peer.and_then(|peer| SocketAddr::try_from(peer).ok()) == Some(address)
    };
    all_send_at_once(there)
}

fn all_send_at_once(is_meant: impl Fn(&OwnedFd) -> bool) -> Option<bool> {
    let answers: Vec<_> = connections()
        .iter()
        .filter(|copy| is_meant(copy))
        .map(|copy| tcp_nodelay(copy).expect("a TCP connection"))
        .collect();
    (!answers.is_empty()).then(|| answers.iter().all(|answer| *answer))
}

/// Of a connection that has a request behind it and waits for the next, and of a socket.
async fn check(server: TcpServer) {
    let mut plain = TcpStream::connect(server.address())
        .await
        .expect("accepted");
    let request = b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n";
    plain.write_all(request).await.expect("sent");
    plain.read_exact(&mut [0; 12]).await.expect("an answer");
    assert_eq!(accepted_at(server.address()), Some(true));
    drop(plain);
    check_socket(server).await;
}

async fn check_socket(server: TcpServer) {
    let mut socket = Client::new(server.request(Request::upgrade("/echo")).await.expect(101));
    socket.expect_echo("there").await;
    assert_eq!(accepted_at(server.address()), Some(true));
}

#[tokio::test]
async fn of_hyper() {
    let start = async || {
        let server = wharf_hyper::bind(app(), "127.0.0.1:0")
            .await
            .expect("a port");
        (server.local_addr(), server.run())
    };
    check(TcpServer::start(start).await).await;
}

#[tokio::test]
async fn of_hyper_over_tls() {
    let certificate = Certificate::generate();
    let tls = certificate.to_tls();
    let start = async move || {
        let server = wharf_hyper::server(app())
            .tcp("127.0.0.1:0")
            .tls(tls)
            .workers(2);
        let server = server.bind().await.expect("a port");
        (server.local_addr(), server.run())
    };
    check_socket(TcpServer::start(start).await.over_tls(certificate)).await;
}

#[tokio::test]
async fn of_axum() {
    let start = async || {
        let server = wharf_axum::bind(app(), "127.0.0.1:0")
            .await
            .expect("a port");
        (server.local_addr(), server.run())
    };
    check(TcpServer::start(start).await).await;
}

/// What `axum::serve` accepts is left as that leaves it, until it is a socket.
#[tokio::test]
async fn of_sockets_on_the_frameworks_own_server() {
    check_socket(NestedAxumHost.start(app()).await).await;
}

#[tokio::test]
async fn of_actix() {
    let start = async || {
        let server = wharf_actix::bind(app(), "127.0.0.1:0")
            .await
            .expect("a port");
        (server.local_addr(), server.run())
    };
    check(TcpServer::start(start).await).await;
}

#[tokio::test]
async fn of_actix_over_tls() {
    check_socket(ActixTlsHost.start(app()).await).await;
}

#[tokio::test]
async fn of_the_client() {
    let start = async || {
        let server = wharf_hyper::bind(app(), "127.0.0.1:0")
            .await
            .expect("a port");
        (server.local_addr(), server.run())
    };
    let server = TcpServer::start(start).await;
    let url = format!("ws://{}/echo", server.address());
    let _socket = wharf_client::connect(url).await.expect("a socket");
    assert_eq!(dialled_to(server.address()), Some(true));
}
