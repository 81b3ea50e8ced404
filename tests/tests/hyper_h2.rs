//! Sockets over HTTP/2 (RFC 8441) on hyper: the contract where a row has a meaning there, and what
//! belongs to HTTP/2 alone.
#![cfg(feature = "hyper")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use http::{Method, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, ext::Protocol};
use tokio::time::timeout;
use wharf_conformance::{
    Client, Http2Client, Http2Server, HyperHttp2Host, Request, Running, TcpServer,
    client::{Frame, PATIENCE},
    connect_request, fixture,
};
use wharf_sdk::App;

wharf_conformance::conformance!(HyperHttp2Host);

async fn serve() -> (Http2Server, App) {
    let app = fixture::app(None).expect("valid").app;
    (HyperHttp2Host.start(app.clone()).await, app)
}

async fn open(client: &mut Http2Client, path: &str) -> Client {
    Client::new(client.request(&Request::upgrade(path)).await)
}

/// Sends it; returns the status, a header and the code of the problem document, if it is one.
async fn refused(
    client: &mut Http2Client,
    request: http::Request<Full<Bytes>>,
    header: &str,
) -> (u16, Option<String>, Option<String>) {
    let response: Response<Incoming> = client.send(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    for unspeakable in ["upgrade", "connection", "sec-websocket-accept"] {
        assert!(!parts.headers.contains_key(unspeakable), "{unspeakable}");
    }
    let header = parts
        .headers
        .get(header)
        .and_then(|value| value.to_str().ok());
    let problem = serde_json::from_slice::<serde_json::Value>(&body).ok();
    let code = problem.and_then(|problem| Some(problem["code"].as_str()?.to_owned()));
    (parts.status.as_u16(), header.map(str::to_owned), code)
}

#[tokio::test]
async fn a_socket_is_a_200_that_switches_nothing() {
    let (server, _) = serve().await;
    let mut client = server.connect().await;
    let response = client
        .send(connect_request("/echo"))
        .await
        .expect("an answer");
    assert_eq!(response.status(), 200);
    for absent in [
        "upgrade",
        "connection",
        "sec-websocket-accept",
        "content-length",
        "transfer-encoding",
    ] {
        assert!(!response.headers().contains_key(absent), "{absent}");
    }
    let mut chat = connect_request("/protocols");
    let offered = "chat.v1, chat.v2".parse().expect("a value");
    chat.headers_mut().insert("sec-websocket-protocol", offered);
    let response = client.send(chat).await.expect("an answer");
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat.v2");
}

/// What leads back to itself is no advice: no 405 to CONNECT, no 426 to GET.
#[tokio::test]
async fn refusals_advise_what_http_2_can_do() {
    let (server, _) = serve().await;
    let mut client = server.connect().await;
    let of = |text: &str| Some(text.to_owned());

    let mut get = connect_request("/echo");
    *get.method_mut() = Method::GET;
    get.extensions_mut().remove::<Protocol>();
    let said = refused(&mut client, get, "allow").await;
    assert_eq!(said, (405, of("CONNECT"), of("WHARF_METHOD")));

    let mut other = connect_request("/echo");
    other
        .extensions_mut()
        .insert(Protocol::from_static("connect-udp"));
    let said = refused(&mut client, other, "allow").await;
    assert_eq!(said, (501, None, of("WHARF_NOT_AN_UPGRADE")));

    for version in [None, Some("8")] {
        let mut old = connect_request("/echo");
        old.headers_mut().remove("sec-websocket-version");
        if let Some(version) = version {
            let version = version.parse().expect("a value");
            old.headers_mut().insert("sec-websocket-version", version);
        }
        let said = refused(&mut client, old, "sec-websocket-version").await;
        assert_eq!(said, (426, of("13"), of("WHARF_VERSION")));
    }
    let said = refused(&mut client, connect_request("/nowhere"), "allow").await;
    assert_eq!(said, (404, None, of("WHARF_NOT_FOUND")));
    open(&mut client, "/echo")
        .await
        .expect_echo("all on one connection")
        .await;
}

#[tokio::test]
async fn a_hundred_sockets_share_a_connection() {
    let (server, _) = serve().await;
    let mut client = server.connect().await;
    let mut sockets = Vec::new();
    for _ in 0..100 {
        sockets.push(open(&mut client, "/echo").await);
    }
    let echoes = sockets.iter_mut().enumerate();
    join_all(echoes.map(|(n, socket)| async move { socket.expect_echo(&n.to_string()).await }))
        .await;
}

/// Neither a handler that does not read nor a client that does not holds up another stream.
#[tokio::test]
async fn a_stalled_stream_holds_up_no_other() {
    let (server, _) = serve().await;
    let mut client = server.connect().await;
    let mut deaf = Vec::new();
    for _ in 0..20 {
        let mut busy = open(&mut client, "/busy").await;
        let flood = async {
            loop {
                busy.send(Frame::binary(vec![7; 16 * 1024])).await;
            }
        };
        // Until the stream's window is used up.
        let _ = timeout(Duration::from_millis(50), flood).await;
        deaf.push(busy);
        deaf.push(open(&mut client, "/push/1000/16384").await);
    }
    let mut neighbour = open(&mut client, "/echo").await;
    let began = Instant::now();
    neighbour.expect_echo("undisturbed").await;
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_reset_stream_is_a_vanished_peer() {
    let (server, app) = serve().await;
    let mut client = server.connect().await;
    let mut stays = open(&mut client, "/echo").await;
    let mut leaves = open(&mut client, "/echo").await;
    leaves.expect_echo("here").await;
    assert_eq!(app.handle().connections(), 2);
    drop(leaves);
    let leaving = async {
        while app.handle().connections() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, leaving).await.expect("it is noticed");
    stays.expect_echo("still here").await;
}

#[tokio::test]
async fn a_shutdown_closes_sockets_and_says_goaway() {
    let (server, app) = serve().await;
    let mut client = server.connect().await;
    let mut socket = open(&mut client, "/echo").await;
    socket.expect_echo("hello").await;
    let shutdown = tokio::spawn(async move { app.handle().shutdown(PATIENCE).await });
    socket.expect_close(1001).await;
    let report = shutdown.await.expect("a report");
    assert_eq!((report.closed, report.aborted), (1, 0));
    assert!(
        timeout(PATIENCE, client.end()).await.expect("an end"),
        "a clean one"
    );
}

#[tokio::test]
async fn http_1_is_beside_it_on_the_same_port() {
    let (server, _) = serve().await;
    let old = TcpServer::at(server.address()).over_tls(server.certificate.clone());
    let mut client = Client::new(old.request(Request::upgrade("/echo")).await);
    client.expect_echo("by HTTP/1.1").await;
}

/// CVE-2023-44487: thousands of streams, each reset as soon as it is asked for.
#[tokio::test]
async fn rapid_resets_harm_nobody() {
    let (server, app) = serve().await;
    let mut client = server.connect().await;
    for _ in 0..5_000 {
        if client.sender.ready().await.is_err() {
            break;
        }
        drop(client.sender.send_request(connect_request("/echo")));
    }
    let began = Instant::now();
    let mut honest = server.connect().await;
    let mut socket = open(&mut honest, "/echo").await;
    socket.expect_echo("let in").await;
    assert!(began.elapsed() < Duration::from_secs(2));
    drop(client);
    let leaving = async {
        while app.handle().connections() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, leaving).await.expect("nothing is left");
}
