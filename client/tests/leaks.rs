//! What connections hold while they rest, and what thousands of them leave behind: little, and
//! nothing. A program of its own, because it counts what the whole process holds.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::{
    alloc::System,
    io::{Read, Write},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    runtime::Handle,
    sync::Mutex,
    time::sleep,
};
use wharf_client::{
    Client,
    link::{Event, LinkBuilder},
};
use wharf_sdk::{
    App, CloseCode, Configure, Error, Result, Route, Socket, driver::accept_key, testing::TestHost,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One test at a time, since each counts all that there is.
static TURN: Mutex<()> = Mutex::const_new(());

/// More than rounding, less than a byte a connection.
const SLACK_BYTES: usize = 4 * 1024;

fn held_bytes() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// The second half of them holds no more than the first.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn ten_thousand_reconnects_leave_nothing() {
    let _turn = TURN.lock().await;
    async fn restart(_: Socket) -> Result<()> {
        Err(Error::close(CloseCode::RESTART, ""))
    }
    let app = App::builder().route(Route::new("/", restart)).build();
    let host = TestHost::new(app.unwrap());
    let client = Client::builder().in_memory(host.clone()).build().unwrap();
    let link: LinkBuilder = client.reconnecting_to("ws://test/");
    let mut link = link.open();
    let (mut connections, mut before) = (0, 0);
    while connections < 10_000 {
        match link.next().await.unwrap() {
            Event::Connected { .. } => connections += 1,
            Event::Disconnected(ending) => assert!(!ending.is_final(), "{ending}"),
            _ => {}
        }
        if connections == 5_000 {
            before = held_bytes();
        }
    }
    let after = held_bytes();
    assert!(
        after <= before + SLACK_BYTES,
        "{before} bytes became {after}"
    );
    drop(link);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(host.app().handle().connections(), 0);
    assert_eq!(tasks(), 0);
}

/// The same over TCP, where there are descriptors, too.
#[tokio::test(flavor = "current_thread")]
async fn reconnects_over_tcp_leave_nothing() {
    let _turn = TURN.lock().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let key = head.split("sec-websocket-key: ").nth(1).unwrap();
            let accept = accept_key(key.lines().next().unwrap());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            // Until the client has closed.
            let _ = stream.read_exact(&mut [0; 8]).await;
        }
    });
    let client = Client::builder().build().unwrap();
    let connect = async || {
        let mut socket = client.connect(format!("ws://{address}/")).await.unwrap();
        socket.close(1000, "").await.unwrap();
        socket.closed().await;
    };
    let settle = async || {
        while tasks() > 1 {
            sleep(Duration::from_millis(1)).await;
        }
        (held_bytes(), descriptors())
    };
    for _ in 0..500 {
        connect().await;
    }
    let (bytes, open) = settle().await;
    for _ in 0..500 {
        connect().await;
    }
    let (bytes_after, open_after) = settle().await;
    assert!(
        bytes_after <= bytes + SLACK_BYTES,
        "{bytes} bytes became {bytes_after}"
    );
    assert_eq!(open_after, open, "descriptors");
    server.abort();
}

/// Links that are opened, and as many again: only the second half is counted.
const LINKS: usize = 200;

/// What a link at rest may take: its connection and task in tokio, its timer, its handler and
/// itself.
const MOST_BYTES: usize = 1600;

/// When nothing has happened for this long, a session gives back what it had for its last messages.
const HEARTBEAT: Duration = Duration::from_millis(100);

/// What is held once nothing changes any more.
async fn resting_bytes() -> usize {
    let mut last = held_bytes();
    loop {
        sleep(5 * HEARTBEAT).await;
        let now = held_bytes();
        if now == last {
            return now;
        }
        last = now;
    }
}

/// A server on a thread of its own, that upgrades, says one thing, and holds no heap for it.
fn server_that_says_hello(connections: usize) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::with_capacity(connections);
    std::thread::spawn(move || {
        while held.len() < connections {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut head, mut length) = ([0; 1024], 0);
            while !head[..length].ends_with(b"\r\n\r\n") {
                length += stream.read(&mut head[length..]).unwrap();
            }
            let head = std::str::from_utf8(&head[..length]).unwrap();
            let key = head.split("sec-websocket-key: ").nth(1).unwrap();
            let accept = accept_key(key.lines().next().unwrap());
            write!(
                stream,
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            )
            .unwrap();
            stream.write_all(b"\x81\x05hello").unwrap();
            held.push(stream);
        }
        std::thread::park();
    });
    address
}

#[tokio::test(flavor = "current_thread")]
async fn an_idle_link_is_light() {
    static HEARD: AtomicUsize = AtomicUsize::new(0);
    async fn listen(mut socket: Socket) -> Result<()> {
        while socket.read().await?.is_some() {
            HEARD.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
    let _turn = TURN.lock().await;
    let url: Arc<str> = format!("ws://{}/", server_that_says_hello(2 * LINKS)).into();
    let client = Client::builder().heartbeat(HEARTBEAT, Duration::from_secs(60));
    let client = client.build().unwrap();
    let mut running = Vec::with_capacity(2 * LINKS);
    let mut before = 0;
    for round in 1..=2 {
        before = resting_bytes().await;
        for _ in 0..LINKS {
            let (client, url) = (client.clone(), Arc::clone(&url));
            running.push(tokio::spawn(async move { client.run(&*url, listen).await }));
        }
        while HEARD.load(Ordering::Relaxed) < round * LINKS {
            sleep(Duration::from_millis(1)).await;
        }
    }
    let bytes = (resting_bytes().await - before) / LINKS;
    println!("{bytes} bytes for each idle link");
    assert!(bytes <= MOST_BYTES, "{bytes} bytes for each idle link");
    for link in running {
        link.abort();
    }
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
