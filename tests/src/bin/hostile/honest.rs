//! A client that means well, and how it is treated.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};
use wharf_conformance::client::Frame;

use crate::keep;

/// When a try to connect is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// When trying is given up.
const RESIGNATION: Duration = Duration::from_secs(10);

/// Echoes behind each handshake.
const ECHOES: usize = 20;

pub(crate) struct Honest {
    thread: JoinHandle<Seen>,
    stop: Arc<AtomicBool>,
    warm: mpsc::Receiver<()>,
}

/// What it saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// From the first try to the answer, tries that were turned away included.
    pub(crate) handshakes: Vec<Duration>,
    /// Tries that were turned away.
    pub(crate) turned_away: usize,
    pub(crate) echoes: Vec<Duration>,
    /// The socket that was there before the attack, and every other, lived as long as it wanted.
    pub(crate) lost: usize,
}

impl Honest {
    /// On a thread of its own: what attackers do does not delay its clock.
    pub(crate) fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (warmed, warm) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(live(address, &stopped, &warmed))
        });
        Self { thread, stop, warm }
    }

    /// Waits until it had its first echoes.
    pub(crate) fn warm_up(&self) {
        self.warm
            .recv()
            .expect("an honest client is served before the attack");
    }

    pub(crate) fn stop(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

async fn live(address: SocketAddr, stop: &AtomicBool, warmed: &mpsc::Sender<()>) -> Seen {
    let mut seen = Seen::default();
    let old = open(address, &mut seen).await;
    let mut old = old.expect("a server that lets somebody in before the attack");
    for _ in 0..ECHOES {
        echo(&mut old).await.expect("an echo before the attack");
    }
    seen = Seen::default();
    warmed.send(()).unwrap();
    while !stop.load(Ordering::Relaxed) {
        let Some(mut new) = open(address, &mut seen).await else {
            seen.lost += 1;
            break;
        };
        for _ in 0..ECHOES {
            for stream in [&mut old, &mut new] {
                match timeout(PATIENCE, echo(stream)).await {
                    Ok(Ok(time)) => seen.echoes.push(time),
                    _ => seen.lost += 1,
                }
            }
            sleep(Duration::from_millis(2)).await;
        }
        if seen.lost > 0 {
            break;
        }
        let _ = new.write_all(&Frame::close(1000, "").to_bytes()).await;
    }
    seen
}

/// Tries until it is let in, or long enough.
async fn open(address: SocketAddr, seen: &mut Seen) -> Option<TcpStream> {
    let since = Instant::now();
    while since.elapsed() < RESIGNATION {
        let trying = timeout(PATIENCE, async {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            keep::open(&mut stream, "/echo").await?;
            Ok::<_, io::Error>(stream)
        });
        if let Ok(Ok(stream)) = trying.await {
            seen.handshakes.push(since.elapsed());
            return Some(stream);
        }
        seen.turned_away += 1;
        sleep(Duration::from_millis(20)).await;
    }
    seen.handshakes.push(since.elapsed());
    None
}

/// Sends a text and waits for it; how long that took.
pub(crate) async fn echo(stream: &mut TcpStream) -> io::Result<Duration> {
    const TEXT: &str = "an honest echo";
    let since = Instant::now();
    stream.write_all(&Frame::text(TEXT).to_bytes()).await?;
    let mut answer = [0; 2 + TEXT.len()];
    stream.read_exact(&mut answer).await?;
    if &answer[2..] != TEXT.as_bytes() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(since.elapsed())
}
