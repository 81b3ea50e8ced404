//! What a socket that has nothing to say costs a server in heap, on every driver.
#![cfg(all(unix, any(feature = "axum", feature = "actix", feature = "hyper")))]

use std::{
    alloc::System,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use wharf_conformance::{TcpServer, client::PATIENCE};
use wharf_sdk::{App, AppHandle, Configure, Result, Route, Socket};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Between two powers of two of the table of sessions, so that its growth counts once, for all.
const SESSIONS: usize = 896;

/// What a session may take: its connection and task in tokio, its timer, its handler and itself.
const MOST_BYTES: i64 = 1296;

/// When nothing has happened for this long, a session gives back what it had for its last messages.
const HEARTBEAT: Duration = Duration::from_millis(250);

/// Sessions stay at rest for this long before they are counted.
const REST: Duration = Duration::from_millis(500);

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

fn app() -> App {
    let route = Route::new("/echo", echo).heartbeat(HEARTBEAT, PATIENCE);
    App::builder().route(route).build().expect("a valid app")
}

/// Opens a socket and says one thing over it. The client's side takes no heap.
fn open(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    let request = b"GET /echo HTTP/1.1\r\nhost: wharf.test\r\nconnection: upgrade\r\n\
        upgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request).expect("the request");
    let mut head = [0; 1024];
    let mut length = 0;
    while !head[..length].ends_with(b"\r\n\r\n") {
        let count = stream.read(&mut head[length..]).expect("the answer");
        assert!(count > 0, "the connection ended");
        length += count;
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "not upgraded");
    stream.write_all(b"\x81\x82\0\0\0\0hi").expect("a message");
    let mut echoed = [0; 4];
    stream.read_exact(&mut echoed).expect("its echo");
    assert_eq!(&echoed, b"\x81\x02hi");
    stream
}

/// What is allocated once nothing changes any more.
fn resting_bytes(region: &Region<'_, System>) -> i64 {
    let began = Instant::now();
    let held = || {
        let change = region.change();
        change.bytes_allocated as i64 - change.bytes_deallocated as i64
    };
    let mut last = held();
    loop {
        std::thread::sleep(REST);
        let now = held();
        if now == last {
            return now;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "the server does not come to rest"
        );
        last = now;
    }
}

/// Heap bytes of a session that has echoed once and rests.
fn bytes_a_session(server: &TcpServer, handle: &AppHandle) -> i64 {
    let mut sockets = Vec::with_capacity(2 * SESSIONS);
    let region = Region::new(ALLOCATOR);
    let mut before = 0;
    for round in 1..=2 {
        before = resting_bytes(&region);
        sockets.extend((0..SESSIONS).map(|_| open(server.address())));
        assert_eq!(handle.connections(), round * SESSIONS);
    }
    (resting_bytes(&region) - before) / SESSIONS as i64
}

// One test: the allocator counts for the whole process.
#[tokio::test]
async fn an_idle_session_is_light() {
    rlimit::increase_nofile_limit(4096).expect("descriptors");
    macro_rules! check {
        ($driver:ident) => {
            let app = app();
            let handle = app.handle();
            let start = async move || {
                let server = $driver::bind(app, "127.0.0.1:0")
                    .await
                    .expect("a free port");
                (server.local_addr(), server.run())
            };
            let server = TcpServer::start(start).await;
            let bytes = bytes_a_session(&server, &handle);
            println!("{}: {bytes} bytes for each idle session", $driver::DRIVER);
            assert!(bytes <= MOST_BYTES, "{}: {bytes} bytes", $driver::DRIVER);
        };
    }
    #[cfg(feature = "hyper")]
    check!(wharf_hyper);
    #[cfg(feature = "axum")]
    check!(wharf_axum);
    #[cfg(feature = "actix")]
    check!(wharf_actix);
}
