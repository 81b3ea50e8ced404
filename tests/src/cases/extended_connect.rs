//! Sockets as streams of an HTTP/2 connection ([RFC 8441](https://www.rfc-editor.org/rfc/rfc8441)),
//! and what such a connection may be made to suffer. A driver without HTTP/2 refuses politely.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use http::{Method, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, ext::Protocol};
use tokio::time::{sleep, timeout};
use wharf_sdk::{Configure, Result, Route, Socket};

use crate::{
    Host, Request, Site,
    client::{
        Frame, Http2Client, Http2Frames, PATIENCE, connect_request,
        http2_frame::{
            ACK, CONTINUATION, DATA, ENABLE_CONNECT_PROTOCOL, END_HEADERS, END_STREAM, GOAWAY,
            HEADERS, INITIAL_WINDOW_SIZE, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE,
        },
    },
    fixture::echo,
};

/// How soon a client is served while another does its worst: on a busy machine, and sooner than
/// anything that is waited for would give up.
const SOON: Duration = Duration::from_secs(10);

/// How long a flood goes on.
const FLOOD: Duration = Duration::from_secs(2);

/// The fixture, where sockets can be streams. Where they cannot, that is said politely, and there is
/// nothing more to ask.
async fn site(host: &dyn Host) -> Option<Site> {
    let site = Site::fixture(host).await;
    if host.capabilities().extended_connect {
        return Some(site);
    }
    let connect = site.request(Request::plain("CONNECT", "/echo")).await;
    let connect = connect.expect_problem(405, "WHARF_METHOD");
    assert_eq!(connect.header("allow"), Some("GET"));
    let h2c = Request::upgrade("/echo")
        .replacing("Connection", "Upgrade, HTTP2-Settings")
        .replacing("Upgrade", "h2c")
        .with("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA");
    let h2c = site.request(h2c).await;
    let h2c = h2c.expect_problem(426, "WHARF_NOT_AN_UPGRADE");
    assert_eq!(h2c.header("upgrade"), Some("websocket"));
    site.open("/echo").await.expect_echo("by HTTP/1.1").await;
    None
}

async fn client(site: &Site) -> Http2Client {
    Http2Client::begin(site.http2().await).await
}

async fn frames(site: &Site) -> Http2Frames {
    Http2Frames::begin(site.http2().await, &[]).await
}

/// The server says in its first frame that CONNECT may have a protocol.
pub async fn offered(host: &dyn Host) {
    let Some(site) = site(host).await else { return };
    let mut frames = frames(&site).await;
    let settings = frames.next().await.expect("settings");
    assert_eq!((settings.kind, settings.flags), (SETTINGS, 0));
    let offered = (ENABLE_CONNECT_PROTOCOL, 1);
    assert!(settings.settings().contains(&offered), "{settings:?}");
}

/// A socket is a 200 that says nothing of the connection, asks for no key, and settles a
/// subprotocol.
pub async fn switches_nothing(host: &dyn Host) {
    let Some(site) = site(host).await else { return };
    let mut client = client(&site).await;
    let response = client.send(connect_request("/echo")).await;
    let response = response.expect("an answer");
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

/// What is refused gets the problem documents of HTTP/1.1, without advice that leads back to itself:
/// no 405 to CONNECT, no 426 to GET.
pub async fn same_checks(host: &dyn Host) {
    let Some(site) = site(host).await else { return };
    let mut client = client(&site).await;
    let of = |text: &str| Some(text.to_owned());

    let mut get = connect_request("/echo");
    *get.method_mut() = Method::GET;
    get.extensions_mut().remove::<Protocol>();
    let said = refused(&mut client, get, "allow").await;
    assert_eq!(said, (405, of("CONNECT"), of("WHARF_METHOD")));

    let mut other = connect_request("/echo");
    let udp = Protocol::from_static("connect-udp");
    other.extensions_mut().insert(udp);
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
    let said = refused(&mut client, connect_request("/private"), "www-authenticate").await;
    assert_eq!((said.0, said.1.is_some()), (401, true));
    let mut foreign = connect_request("/origins");
    let origin = "https://evil.example".parse().expect("a value");
    foreign.headers_mut().insert("origin", origin);
    let said = refused(&mut client, foreign, "allow").await;
    assert_eq!(said, (403, None, of("WHARF_ORIGIN_DENIED")));
    let mut socket = client.open("/echo").await;
    socket.expect_echo("all on one connection").await;
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
    let header = parts.headers.get(header);
    let header = header.and_then(|value| value.to_str().ok());
    let problem = serde_json::from_slice::<serde_json::Value>(&body).ok();
    let code = problem.and_then(|problem| Some(problem["code"].as_str()?.to_owned()));
    (parts.status.as_u16(), header.map(str::to_owned), code)
}

/// A hundred sockets talk on one connection.
pub async fn a_hundred_on_a_connection(host: &dyn Host) {
    let Some(site) = site(host).await else { return };
    let mut client = client(&site).await;
    let mut sockets = Vec::new();
    for _ in 0..100 {
        sockets.push(client.open("/echo").await);
    }
    let echoes = sockets.iter_mut().enumerate();
    join_all(echoes.map(|(n, socket)| async move { socket.expect_echo(&n.to_string()).await }))
        .await;
}

/// Neither a handler that does not read nor a client that does not holds up another stream.
pub async fn stalled_streams(host: &dyn Host) {
    if !host.capabilities().extended_connect {
        return;
    }
    // Both wait for longer than anybody here.
    let busy = async |_socket: Socket| sleep(2 * PATIENCE).await;
    let push = async |mut socket: Socket| -> Result<()> {
        loop {
            socket.write(vec![0; 16 * 1024]).await?;
        }
    };
    let site = Site::of(host, |app| {
        app.write_deadline(2 * PATIENCE)
            .heartbeat(2 * PATIENCE, PATIENCE)
            .route(Route::new("/busy", busy))
            .route(Route::new("/push", push))
            .route(Route::new("/echo", echo))
    })
    .await;
    let mut client = client(&site).await;
    let mut deaf = Vec::new();
    for _ in 0..20 {
        let mut busy = client.open("/busy").await;
        let flood = async {
            loop {
                busy.send(Frame::binary(vec![7; 16 * 1024])).await;
            }
        };
        // Until the stream's window is used up.
        let _ = timeout(Duration::from_millis(50), flood).await;
        deaf.push(busy);
        deaf.push(client.open("/push").await);
    }
    let mut neighbour = client.open("/echo").await;
    neighbour.expect_echo("undisturbed").await;
}

/// A stream that is reset is a peer that vanished; its neighbours stay.
pub async fn reset_streams(host: &dyn Host) {
    let Some(site) = site(host).await else { return };
    let mut client = client(&site).await;
    let mut stays = client.open("/echo").await;
    let mut leaves = client.open("/echo").await;
    leaves.expect_echo("here").await;
    site.expect_connections(2).await;
    leaves.vanish();
    site.expect_connections(1).await;
    let closed = site.events.only("closed").await;
    assert_eq!((closed.code, closed.clean), (Some(1006), Some(false)));
    stays.expect_echo("still here").await;
}

/// So is one that its peer ends without a close frame.
pub async fn ended_streams(host: &dyn Host) {
    let Some(site) = site(host).await else { return };
    let mut frames = frames(&site).await;
    frames.send(&Http2Frames::connect(1, "/echo")).await;
    frames.next_of(HEADERS).await.expect("an answer");
    frames
        .send(&Http2Frames::frame(DATA, END_STREAM, 1, b""))
        .await;
    let closed = site.events.only("closed").await;
    assert_eq!((closed.code, closed.clean), (Some(1006), Some(false)));
    site.expect_no_connections().await;
}

/// A shutdown says GOAWAY before sockets are closed, and the connection ends behind the last.
pub async fn shutdown(host: &dyn Host) {
    let Some(site) = site(host).await else { return };
    let mut client = client(&site).await;
    let mut socket = client.open("/echo").await;
    socket.expect_echo("hello").await;
    let mut watcher = frames(&site).await;
    watcher.send(&Http2Frames::connect(1, "/busy")).await;
    watcher.next_of(HEADERS).await.expect("an answer");

    let handle = site.app.handle();
    let shutdown = tokio::spawn(async move { handle.shutdown(PATIENCE).await });
    watcher.next_of(GOAWAY).await.expect("GOAWAY");
    assert!(
        !shutdown.is_finished(),
        "it begins with it: a handler is busy"
    );
    // Nobody new is let in.
    watcher.send(&Http2Frames::connect(3, "/echo")).await;

    socket.expect_close(1001).await;
    assert!(
        timeout(PATIENCE, client.end()).await.expect("an end"),
        "a clean one"
    );
    drop(watcher);
    let report = shutdown.await.expect("a report");
    assert_eq!((report.sessions, report.requests), (2, 0));
}

/// Somebody else is served soon, on a connection of HTTP/2 too; what the attacker began is over
/// once it is gone.
async fn harms_nobody(site: &Site, attacker: Http2Frames) {
    let began = Instant::now();
    let mut honest = client(site).await;
    honest.open("/echo").await.expect_echo("let in").await;
    site.open("/echo").await.expect_echo("let in").await;
    assert!(began.elapsed() < SOON, "it took {:?}", began.elapsed());
    drop((attacker, honest));
    site.expect_no_connections().await;
}

/// CVE-2023-44487: thousands of streams, each reset as soon as it is asked for.
pub async fn rapid_resets(host: &dyn Host) {
    const STREAMS: u32 = 10_000;
    let Some(site) = site(host).await else { return };
    let mut attacker = frames(&site).await;
    for number in 0..STREAMS / 100 {
        let mut burst = Vec::new();
        for stream in (number * 100..(number + 1) * 100).map(|number| 2 * number + 1) {
            burst.extend(Http2Frames::connect(stream, "/echo"));
            let cancel = 8_u32.to_be_bytes();
            burst.extend(Http2Frames::frame(RST_STREAM, 0, stream, &cancel));
        }
        if !attacker.send(&burst).await {
            break;
        }
    }
    harms_nobody(&site, attacker).await;
}

/// CVE-2025-55163: streams that the server has to reset, by window updates of nothing. Its patience
/// with a connection has an end.
pub async fn provoked_resets(host: &dyn Host) {
    const STREAMS: u32 = 1_000;
    let Some(site) = site(host).await else { return };
    let mut attacker = frames(&site).await;
    for stream in (0..STREAMS).map(|number| 2 * number + 1) {
        let mut provocation = Http2Frames::connect(stream, "/echo");
        provocation.extend(Http2Frames::frame(WINDOW_UPDATE, 0, stream, &[0; 4]));
        if !attacker.send(&provocation).await {
            break;
        }
    }
    let mut resets = 0;
    let goaway = loop {
        match attacker.next().await {
            Some(frame) if frame.kind == RST_STREAM => resets += 1,
            Some(frame) if frame.kind == GOAWAY => break true,
            Some(_) => {}
            None => break false,
        }
    };
    assert!(
        resets < STREAMS / 2,
        "{resets} resets, and GOAWAY: {goaway}"
    );
    harms_nobody(&site, attacker).await;
}

/// A head without an end, by CONTINUATION, is cut off.
pub async fn endless_headers(host: &dyn Host) {
    const FRAMES: u32 = 1_000;
    let Some(site) = site(host).await else { return };
    let mut attacker = frames(&site).await;
    let begun = Http2Frames::fields(&[(":method", "CONNECT")]);
    attacker
        .send(&Http2Frames::frame(HEADERS, 0, 1, &begun))
        .await;
    let field = Http2Frames::fields(&[("x-filler", &"x".repeat(100))]);
    let more = Http2Frames::frame(CONTINUATION, 0, 1, &field.repeat(100));
    let mut taken = 0;
    while taken < FRAMES && attacker.send(&more).await {
        taken += 1;
    }
    // What the kernel holds for both of them is taken by nobody.
    assert!(taken < FRAMES, "megabytes of a head were taken");
    harms_nobody(&site, attacker).await;
}

/// A small block that unfolds to a head of megabytes is refused, and not held.
pub async fn header_bombs(host: &dyn Host) {
    let Some(site) = site(host).await else { return };
    let mut attacker = frames(&site).await;
    let mut block = Http2Frames::fields(&[
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/events"),
        (":authority", "wharf.test"),
    ]);
    // A field of four thousand bytes goes into the table, where it is the first behind the static
    // ones; every byte that follows stands for it.
    let length = [0x7f, 0xa1, 0x1e];
    block.extend([0x40, 1, b'x']);
    block.extend(length);
    block.extend([b'x'; 4000]);
    block.resize(block.len() + 10_000, 0x80 | 62);
    let flags = END_HEADERS | END_STREAM;
    attacker
        .send(&Http2Frames::frame(HEADERS, flags, 1, &block))
        .await;
    loop {
        match attacker.next().await {
            // The answer of a server that did not mind would bring the fixture's events.
            Some(frame) if frame.kind == DATA => {
                assert!(frame.payload.is_empty(), "answered with {frame:?}");
            }
            Some(frame) if frame.kind == HEADERS && frame.flags & END_STREAM != 0 => break,
            Some(frame) if [RST_STREAM, GOAWAY].contains(&frame.kind) => break,
            Some(_) => {}
            None => break,
        }
    }
    harms_nobody(&site, attacker).await;
}

/// Settings and pings, to each of which an answer is due that nobody reads: the server takes no more
/// than it can answer.
pub async fn floods_of_control_frames(host: &dyn Host) {
    const BURSTS: usize = 2_000;
    let Some(site) = site(host).await else { return };
    let settings = [0, 3, 0, 0, 0, 100];
    for frame in [
        Http2Frames::frame(SETTINGS, 0, 0, &settings),
        Http2Frames::frame(PING, 0, 0, &[7; 8]),
        Http2Frames::frame(PING, ACK, 0, &[7; 8]),
    ] {
        let mut attacker = frames(&site).await;
        let burst = frame.repeat(500);
        let began = Instant::now();
        let mut taken = 0;
        while taken < BURSTS && began.elapsed() < FLOOD && attacker.send(&burst).await {
            taken += 1;
        }
        harms_nobody(&site, attacker).await;
    }
}

/// Sockets whose peer never opens a window are dropped at their write deadline.
pub async fn closed_windows(host: &dyn Host) {
    const SOCKETS: u32 = 50;
    let Some(site) = site(host).await else { return };
    let closed = [(INITIAL_WINDOW_SIZE, 0)];
    let mut attacker = Http2Frames::begin(site.http2().await, &closed).await;
    for stream in (0..SOCKETS).map(|number| 2 * number + 1) {
        attacker
            .send(&Http2Frames::connect(stream, "/push/1000/16384"))
            .await;
        attacker.next_of(HEADERS).await.expect("an answer");
    }
    site.expect_connections(SOCKETS as usize).await;
    let began = Instant::now();
    site.open("/echo").await.expect_echo("undisturbed").await;
    assert!(began.elapsed() < SOON);
    // The write deadline is 2 s.
    site.events.wait_for("closed", SOCKETS as usize + 1).await;
    harms_nobody(&site, attacker).await;
}
