//! Thousands of sockets and a while of chaos against one server process, which must be afterwards
//! as it was before: `soak --driver axum|actix [--sockets 2000] [--seconds 30] [--seed n]`.
//!
//! The server is this program as a child (`soak serve <driver>`), so that its memory and its
//! descriptors are its own. Linux only: they are read from `/proc`.

#![allow(
    clippy::unwrap_used,
    reason = "what does not hold fails the run; a message is given where it helps"
)]

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};
use wharf_sdk::{
    App, AppHandle, Configure, Error, Observer, Result, Route, SessionInfo, Socket,
    http::StatusCode, observer::Closed, response, wire::encode_client_frame,
};

/// How long the server gets to be as it was before.
const CALM: Duration = Duration::from_secs(30);

/// What fragmentation may keep: grows with the sockets that were open at once.
const KEPT_KIB: u64 = 16 * 1024;

/// What it may keep for each session that lived. A session that leaks keeps several times as much.
const KEPT_BYTES_PER_SESSION: u64 = 256;

#[derive(Clone)]
struct Options {
    driver: String,
    sockets: usize,
    seconds: u64,
    seed: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    match &arguments[..] {
        [serve, driver] if serve == "serve" => runtime.block_on(serve_app(driver)),
        _ => runtime.block_on(soak(&parse(&arguments))),
    }
}

fn parse(arguments: &[String]) -> Options {
    let value = |name: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.map_or(default, |at| arguments[at + 1].parse().expect("a number"))
    };
    let at = arguments.iter().position(|argument| argument == "--driver");
    let clock = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    Options {
        driver: at
            .map(|at| arguments[at + 1].clone())
            .expect("--driver axum or actix"),
        sockets: usize::try_from(value("--sockets", 2000)).unwrap(),
        seconds: value("--seconds", 30),
        seed: value("--seed", u64::from(clock.subsec_nanos()) | 1),
    }
}

/// Counts what must come out even.
#[derive(Clone, Default)]
struct Ledger {
    upgraded: Arc<AtomicU64>,
    closed: Arc<AtomicU64>,
}

impl Observer for Ledger {
    fn upgraded(&self, _: &SessionInfo) {
        self.upgraded.fetch_add(1, Ordering::Relaxed);
    }

    fn closed(&self, _: &SessionInfo, _: &Closed<'_>) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }
}

async fn serve_app(driver: &str) {
    // Panics are part of the chaos; their messages are not part of the report.
    std::panic::set_hook(Box::new(|_| {}));
    let ledger = Ledger::default();
    let handle: Arc<std::sync::OnceLock<AppHandle>> = Arc::default();
    let report = {
        let (ledger, handle) = (ledger.clone(), Arc::clone(&handle));
        move |_| {
            let live = handle.get().map_or(0, AppHandle::connections);
            let upgraded = ledger.upgraded.load(Ordering::Relaxed);
            let closed = ledger.closed.load(Ordering::Relaxed);
            // The request that asks is a connection of the app itself.
            let text = format!("{} {upgraded} {closed}", live - 1);
            async { response::text(StatusCode::OK, text) }
        }
    };
    let app = App::builder()
        .observer(ledger)
        .write_deadline(Duration::from_secs(2))
        .close_timeout(Duration::from_secs(2))
        .route(Route::new("/echo", echo))
        .route(Route::new("/panic", panicking))
        .route(Route::new("/fail", failing))
        .route(Route::new("/push", pushing).queue_bytes(64 * 1024))
        .route(Route::new("/deaf", deaf))
        .route(Route::new("/report", echo).fallback(report))
        .build()
        .unwrap();
    handle.set(app.handle()).unwrap();
    match driver {
        #[cfg(feature = "axum")]
        "axum" => {
            let server = wharf_axum::bind(app, "127.0.0.1:0").await.unwrap();
            println!("listening on {}", server.local_addr());
            server.run().await.unwrap();
        }
        #[cfg(feature = "actix")]
        "actix" => {
            let server = wharf_actix::bind(app, "127.0.0.1:0").await.unwrap();
            println!("listening on {}", server.local_addr());
            server.run().await.unwrap();
        }
        other => panic!("no driver {other} is built in: choose axum or actix, or its feature"),
    }
}

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

async fn panicking(mut socket: Socket) -> Result<()> {
    let _ = socket.read().await;
    panic!("part of the chaos");
}

async fn failing(mut socket: Socket) -> Result<()> {
    socket.read().await?;
    Err(Error::handler("part of the chaos"))
}

async fn pushing(mut socket: Socket) -> Result<()> {
    loop {
        socket.write(vec![0; 16 * 1024]).await?;
    }
}

async fn deaf(socket: Socket) {
    tokio::select! {
        () = sleep(Duration::from_secs(2)) => {}
        () = socket.closing() => {}
    }
}

async fn soak(options: &Options) {
    println!(
        "{}: {} sockets, {} s of chaos, seed {}",
        options.driver, options.sockets, options.seconds, options.seed
    );
    let server = Server::start(&options.driver).await;
    // Threads, pools, tables and the allocator's arenas take the size that this load needs.
    chaos(&server, options, Duration::from_secs(options.seconds)).await;
    server.calm().await;
    let before = server.usage();
    let (_, begun_before, _) = server.report().await;
    chaos(&server, options, Duration::from_secs(options.seconds)).await;
    server.calm().await;
    let after = server.usage();
    let (_, upgraded, closed) = server.report().await;
    println!("before {before:?}, after {after:?}");
    println!("{upgraded} sessions began, {closed} ended");
    assert_eq!(upgraded, closed, "every session ends exactly once");
    assert!(
        after.descriptors <= before.descriptors + 4,
        "descriptors are back where they were"
    );
    let kept_kib = KEPT_KIB + (upgraded - begun_before) * KEPT_BYTES_PER_SESSION / 1024;
    assert!(
        after.resident_kib <= before.resident_kib + kept_kib,
        "memory is back where it was, but for {kept_kib} KiB"
    );
    println!("1 passed, 0 failed");
}

/// Every socket lives a short life of a random kind, again and again.
async fn chaos(server: &Server, options: &Options, duration: Duration) {
    let end = Instant::now() + duration;
    let lives = (0..options.sockets).map(|number| {
        let address = server.address.clone();
        let mut random = Random(options.seed ^ (number as u64 + 1).wrapping_mul(0x9E37_79B9));
        tokio::spawn(async move {
            while Instant::now() < end {
                // A server that is busy refuses or resets some; the ledger must be even all the same.
                let _ = timeout(Duration::from_secs(20), live(&address, &mut random)).await;
            }
        })
    });
    futures::future::join_all(lives.collect::<Vec<_>>()).await;
}

async fn live(address: &str, random: &mut Random) -> std::io::Result<()> {
    let path = ["/echo", "/echo", "/panic", "/fail", "/push", "/deaf"][random.below(6)];
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut buffer = vec![0; 4096];
    for _ in 0..random.below(20) {
        let mut frame = BytesMut::new();
        let size = [1, 100, 5_000, 60_000][random.below(4)];
        match random.below(12) {
            0 => encode_client_frame(&mut frame, 0x89, [1; 4], b"ping"),
            1 => encode_client_frame(&mut frame, 0x01, [2; 4], b"a fragment that is never ended"),
            // A violation: a reserved opcode.
            2 => encode_client_frame(&mut frame, 0x83, [3; 4], b""),
            3 => encode_client_frame(&mut frame, 0x88, [4; 4], &1000_u16.to_be_bytes()),
            4 => return Ok(()),
            5 => {
                // A reset instead of an end.
                stream.set_zero_linger()?;
                return Ok(());
            }
            6 => sleep(Duration::from_millis(random.below(2000) as u64)).await,
            _ => encode_client_frame(&mut frame, 0x82, [5; 4], &vec![7; size]),
        }
        stream.write_all(&frame).await?;
        if random.below(3) > 0 {
            let read = stream.read(&mut buffer);
            if let Ok(Ok(0)) = timeout(Duration::from_millis(50), read).await {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// xorshift: the same seed lives the same lives.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

struct Server {
    child: Child,
    address: String,
}

#[derive(Debug, Clone, Copy)]
struct Usage {
    resident_kib: u64,
    descriptors: usize,
}

impl Server {
    async fn start(driver: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["serve", driver])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(CALM, lines.next_line())
            .await
            .expect("a server that starts");
        let line = line.unwrap().expect("a server that says where it listens");
        Self {
            address: line.strip_prefix("listening on ").unwrap().to_owned(),
            child,
        }
    }

    fn usage(&self) -> Usage {
        let pid = self.child.id().expect("a server that runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        Usage {
            resident_kib: line.split_whitespace().nth(1).unwrap().parse().unwrap(),
            descriptors: std::fs::read_dir(format!("/proc/{pid}/fd"))
                .unwrap()
                .count(),
        }
    }

    /// Live connections, sessions that began, sessions that ended.
    async fn report(&self) -> (u64, u64, u64) {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request = "GET /report HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let body = answer.rsplit("\r\n\r\n").next().unwrap();
        let numbers: Vec<u64> = body
            .split(' ')
            .map(|number| number.trim().parse().unwrap())
            .collect();
        (numbers[0], numbers[1], numbers[2])
    }

    /// Waits until no connection is left.
    async fn calm(&self) {
        let since = Instant::now();
        loop {
            let (live, upgraded, closed) = self.report().await;
            if live == 0 {
                // The kernel closes the last descriptors a moment later.
                return sleep(Duration::from_secs(1)).await;
            }
            assert!(
                since.elapsed() < CALM,
                "{live} connections are left after {CALM:?}: {upgraded} sessions began, {closed} \
                 ended"
            );
            sleep(Duration::from_millis(200)).await;
        }
    }
}
