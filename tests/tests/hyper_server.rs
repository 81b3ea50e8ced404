//! What hyper's server, which is axum's too, does with connections that are not sockets yet.
#![cfg(all(unix, feature = "hyper"))]

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use wharf_conformance::{
    Certificate, Client, Request, Running, TcpServer,
    client::{Http2Client, PATIENCE},
    fixture,
};
use wharf_hyper::ServerBuilder;
use wharf_sdk::App;

const UPGRADE: &str = "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn app() -> App {
    fixture::app(None).expect("valid").app
}

/// Serves the fixture, with the server set up like this.
async fn serve(set_up: fn(ServerBuilder) -> ServerBuilder) -> TcpServer {
    TcpServer::start(async move || {
        let builder = set_up(wharf_hyper::server(app()).tcp("127.0.0.1:0"));
        let server = builder.bind().await.expect("a free port");
        (server.local_addr(), server.run())
    })
    .await
}

async fn connect(address: SocketAddr, sent: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("accepted");
    stream.write_all(sent).await.expect("sent");
    stream
}

/// Waits until the server has ended the connection, whatever it says before.
async fn ended(stream: &mut TcpStream) {
    let ending = async {
        let mut said = [0; 1024];
        while stream.read(&mut said).await.is_ok_and(|count| count > 0) {}
    };
    timeout(PATIENCE, ending).await.expect("an end in time");
}

#[tokio::test]
async fn heads_and_idle_connections_have_a_deadline() {
    let server = serve(|builder| builder.head_timeout(Duration::from_millis(300))).await;
    let heads = [
        "",
        "GET /echo HT",
        "GET /echo HTTP/1.1\r\nHost: a\r\n",
        "GET /events HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
    ];
    join_all(heads.map(|head| async {
        let mut stream = connect(server.address(), head.as_bytes()).await;
        ended(&mut stream).await;
    }))
    .await;
}

/// Asks again and again and reads nothing: the server must not keep the connection.
#[tokio::test]
async fn answers_that_nobody_reads_have_a_deadline() {
    let server = serve(|builder| builder.write_timeout(Duration::from_millis(300))).await;
    let mut stream = connect(server.address(), b"").await;
    let requests = "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
    let asking = async { while stream.write_all(requests.as_bytes()).await.is_ok() {} };
    timeout(PATIENCE, asking)
        .await
        .expect("the server gives it up");
}

#[tokio::test]
async fn half_open_connections_shut_nobody_out() {
    // What makes room is no deadline.
    let server = serve(|builder| builder.max_connections(8).head_timeout(2 * PATIENCE)).await;
    let mut sockets = Vec::new();
    for _ in 0..4 {
        sockets.push(Client::new(server.request(Request::upgrade("/echo")).await));
    }
    let held = (0..100).map(|_| connect(server.address(), b"GET /echo HTTP/1.1\r\n"));
    let held = join_all(held).await;
    let mut honest = Client::new(server.request(Request::upgrade("/echo")).await);
    honest.expect_echo("let in").await;
    for socket in &mut sockets {
        socket.expect_echo("left alone").await;
    }
    drop(held);
}

#[tokio::test]
async fn full_of_sockets_it_says_so_and_takes_the_next_when_one_leaves() {
    let server = serve(|builder| builder.max_connections(2)).await;
    let open = async || Client::new(server.request(Request::upgrade("/echo")).await.expect(101));
    let (mut first, mut second) = (open().await, open().await);
    let refused = server.request(Request::upgrade("/echo")).await;
    let refused = refused.expect_problem(503, "WHARF_CONNECTIONS_FULL");
    assert_eq!(refused.header("retry-after"), Some("5"));
    second.expect_echo("still there").await;
    first.close().await;
    let leaving = async {
        while server.request(Request::upgrade("/echo")).await.status() != 101 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, leaving).await.expect("its place is free");
}

/// A Unix socket, beside a listener that was bound by somebody else.
#[tokio::test]
async fn several_listeners() {
    let folder = std::env::temp_dir().join(format!("wharf-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("echo.sock");
    // What a server leaves that was killed.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket file"));
    let inherited = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let app = app();
    let builder = wharf_hyper::server(app.clone())
        .unix(&path)
        .tcp_listener(inherited);
    let server = builder.bind().await.expect("both");
    let taken = wharf_hyper::server(app.clone()).unix(&path).bind().await;
    assert_eq!(taken.expect_err("it is alive").code(), "WHARF_BIND");
    let tcp = TcpServer::at(server.local_addr());
    let running = tokio::spawn(server.run());

    let mut client = Client::new(tcp.request(Request::upgrade("/echo")).await);
    client.expect_echo("by TCP").await;
    let mut stream = UnixStream::connect(&path).await.expect("accepted");
    stream.write_all(UPGRADE.as_bytes()).await.expect("sent");
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.expect("an answer");
    assert_eq!(&status, b"HTTP/1.1 101");
    // Peers that answer no close are dropped at the deadline.
    app.handle().shutdown(Duration::from_millis(100)).await;
    let report = running.await.expect("no panic").expect("a report");
    assert_eq!(report.sessions, 2);
    assert!(!path.exists(), "its file is gone");
    std::fs::remove_dir(&folder).expect("an empty folder");
}

/// A Unix socket of a server, in a folder of its own.
async fn serve_unix(
    name: &str,
    set_up: impl FnOnce(ServerBuilder) -> ServerBuilder,
) -> (PathBuf, App) {
    let name = format!("wharf-{name}-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let app = app();
    let builder = set_up(wharf_hyper::server(app.clone()).unix(&path));
    let server = builder.bind().await.expect("a socket file");
    tokio::spawn(server.run());
    (path, app)
}

/// Who knows beforehand that it is HTTP/2, and who does not.
#[tokio::test]
async fn http2_and_http1_by_a_unix_socket() {
    let (path, app) = serve_unix("http2", ServerBuilder::http2).await;
    let stream = UnixStream::connect(&path).await.expect("accepted");
    let mut connection = Http2Client::begin(Box::new(stream)).await;
    let mut client = connection.open("/echo").await;
    client.expect_echo("as a stream").await;
    let mut stream = UnixStream::connect(&path).await.expect("accepted");
    stream.write_all(UPGRADE.as_bytes()).await.expect("sent");
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.expect("an answer");
    assert_eq!(&status, b"HTTP/1.1 101");
    drop((client, connection, stream));
    app.handle().shutdown(PATIENCE).await;
}

/// What tells HTTP/2 from HTTP/1.1 need not come at once.
#[tokio::test]
async fn http2_that_begins_in_pieces() {
    let server = serve(ServerBuilder::http2).await;
    let mut stream = connect(server.address(), b"P").await;
    stream.set_nodelay(true).expect("TCP_NODELAY");
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    for piece in [&b"R"[..], b"I", b" * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings] {
        tokio::time::sleep(Duration::from_millis(20)).await;
        stream.write_all(piece).await.expect("sent");
    }
    let mut answer = [0; 9];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(answer[3], 4, "the server's settings");
    let mut plain = connect(server.address(), b"P").await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let rest = UPGRADE.replacen("GET", "OST", 1);
    plain.write_all(rest.as_bytes()).await.expect("sent");
    let mut status = [0; 9];
    plain.read_exact(&mut status).await.expect("an answer");
    assert_eq!(&status, b"HTTP/1.1 ");
}

/// As on a port that speaks TLS.
#[tokio::test]
async fn plain_http_by_a_unix_socket_with_tls_is_told() {
    let tls = Certificate::generate().to_tls();
    let (path, app) = serve_unix("tls", |builder| builder.tls(tls)).await;
    let mut stream = UnixStream::connect(&path).await.expect("accepted");
    stream.write_all(UPGRADE.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("WHARF_TLS_REQUIRED"), "{answer}");
    app.handle().shutdown(PATIENCE).await;
}

#[tokio::test]
async fn without_an_address_there_is_no_server() {
    let refused = wharf_hyper::server(app()).bind().await;
    assert_eq!(refused.expect_err("nothing").code(), "WHARF_NO_ADDRESS");
}

/// Each worker has a listener of its own; they have one cap, one report, and end together.
#[tokio::test]
async fn workers_serve_and_drain_together() {
    let app = app();
    let builder = wharf_hyper::server(app.clone()).tcp("127.0.0.1:0");
    let builder = builder.workers(3).max_connections(30);
    let server = builder.bind().await.expect("a free port");
    let address = server.local_addr();
    let taken = wharf_hyper::server(app.clone()).tcp(address.to_string());
    let taken = taken.workers(3).bind().await.expect_err("it is taken");
    assert_eq!(taken.code(), "WHARF_BIND");
    let running = tokio::spawn(server.run());
    let server = TcpServer::at(address);
    let mut clients = Vec::new();
    for _ in 0..30 {
        clients.push(Client::new(server.request(Request::upgrade("/echo")).await));
    }
    for client in &mut clients {
        client.expect_echo("on some thread").await;
    }
    let refused = server.request(Request::upgrade("/echo")).await;
    refused.expect_problem(503, "WHARF_CONNECTIONS_FULL");
    assert!(threads("wharf-") >= 3, "a thread each");
    let handle = app.handle();
    let shutdown = tokio::spawn(async move { handle.shutdown(PATIENCE).await });
    for client in &mut clients {
        client.expect_close(1001).await;
    }
    let report = shutdown.await.expect("no panic");
    assert_eq!((report.sessions, report.closed), (30, 30));
    let told = running.await.expect("no panic").expect("a report");
    assert_eq!(told, report);
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
}

/// A server that is dropped accepts no more; what it has let in goes on until the app is shut down.
#[tokio::test]
async fn workers_of_a_dropped_server_keep_their_sessions() {
    let app = app();
    let builder = wharf_hyper::server(app.clone())
        .tcp("127.0.0.1:0")
        .workers(2);
    let server = builder.bind().await.expect("a free port");
    let address = server.local_addr();
    let running = tokio::spawn(server.run());
    let mut client = Client::new(
        TcpServer::at(address)
            .request(Request::upgrade("/echo"))
            .await,
    );
    client.expect_echo("hello").await;
    running.abort();
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refused)
        .await
        .expect("it accepts no more");
    client.expect_echo("still there").await;
    let handle = app.handle();
    let shutdown = tokio::spawn(async move { handle.shutdown(PATIENCE).await });
    client.expect_close(1001).await;
    assert_eq!(shutdown.await.expect("no panic").closed, 1);
}

/// How many threads of this process have a name that begins like this.
#[cfg(target_os = "linux")]
fn threads(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|other| other.starts_with(name)).count()
}

#[cfg(not(target_os = "linux"))]
fn threads(_: &str) -> usize {
    3
}
