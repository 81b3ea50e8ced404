//! Two nodes on one bus, and the sockets on them.

use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use wharf_bench::load::{Door, Frame, FrameCounter, Kind, Wire, read_frame};
use wharf_bench::process::ServerProcess;
use wharf_hub::{Hub, Room};
use wharf_nats::Nats;
use wharf_redis::Redis;

use super::engine::Engine;

/// Time in which a node subscribes to what its sockets joined.
const JOIN_SETTLE: Duration = Duration::from_millis(500);

/// Longest wait for a message to arrive everywhere.
const DELIVERY_DEADLINE: Duration = Duration::from_secs(10);

/// After this long without another message a flood is over.
const SILENCE: Duration = Duration::from_millis(500);

/// One that publishes and one that listens.
pub(crate) struct Nodes {
    pub(crate) near: ServerProcess,
    pub(crate) far: ServerProcess,
}

impl Nodes {
    pub(crate) async fn start(engine: &Engine) -> io::Result<Self> {
        let nodes = Self {
            near: start_node(Some(engine))?,
            far: start_node(Some(engine))?,
        };
        sleep(JOIN_SETTLE).await;
        Ok(nodes)
    }
}

pub(crate) fn start_node(engine: Option<&Engine>) -> io::Result<ServerProcess> {
    let own = std::env::current_exe()?;
    let folder = own.parent().unwrap_or(Path::new("."));
    let mut args = vec!["127.0.0.1:0".to_owned()];
    if let Some(engine) = engine {
        args.extend(["--bus".to_owned(), engine.url()]);
    }
    args.extend(["--max-seconds".to_owned(), "300".to_owned()]);
    ServerProcess::start(&folder.join("node"), &args)
}

/// The room of `/hub`, on a node in this process.
pub(crate) async fn room(engine: &Engine) -> io::Result<Room> {
    let hub = match engine.scheme() {
        "redis" => Redis::connect(&engine.url()).await.map(Hub::over),
        _ => Nats::connect(&engine.url()).await.map(Hub::over),
    };
    let room = hub.and_then(|hub| hub.room("bench"));
    room.map_err(io::Error::other)
}

pub(crate) async fn open(node: &ServerProcess, path: &str) -> io::Result<Wire> {
    Ok(Door::tcp(node.addr(), path).connect().await?.wire)
}

/// Says a text, and reads what is answered.
pub(crate) async fn ask(wire: &mut Wire, text: &str) -> io::Result<String> {
    let frame = Frame::exchange(Kind::Text, text.as_bytes(), &[]);
    wire.write_all(frame.next_bytes(0, frame.sent_bytes()))
        .await?;
    let answer = read_frame(wire).await?;
    Ok(String::from_utf8_lossy(answer.payload()).into_owned())
}

/// Sockets in the room of `/hub`, and what arrives at them.
pub(crate) struct Listening {
    sockets: usize,
    arrivals: UnboundedReceiver<(Instant, usize)>,
    readers: JoinSet<()>,
    publisher: Option<Wire>,
}

pub(crate) async fn listen(node: &ServerProcess, sockets: usize) -> io::Result<Listening> {
    let (sender, arrivals) = unbounded_channel();
    let mut readers = JoinSet::new();
    for _ in 0..sockets {
        readers.spawn(read(open(node, "/hub").await?, sender.clone()));
    }
    sleep(JOIN_SETTLE).await;
    Ok(Listening {
        sockets,
        arrivals,
        readers,
        publisher: None,
    })
}

async fn read(mut wire: Wire, arrivals: UnboundedSender<(Instant, usize)>) {
    let mut counter = FrameCounter::default();
    let mut space = vec![0; 64 << 10];
    while let Ok(bytes @ 1..) = wire.read(&mut space).await {
        let frames = counter.count(&space[..bytes]);
        if frames > 0 && arrivals.send((Instant::now(), frames)).is_err() {
            return;
        }
    }
}

/// Publishes one message on one node; returns when the last socket of the other had it.
pub(crate) async fn last_delivery(
    node: &ServerProcess,
    listening: &mut Listening,
) -> io::Result<Duration> {
    let mut publisher = match listening.publisher.take() {
        Some(publisher) => publisher,
        None => {
            let publisher = open(node, "/hub").await?;
            sleep(JOIN_SETTLE).await;
            publisher
        }
    };
    let frame = Frame::new(Kind::Text, 64);
    let since = Instant::now();
    publisher
        .write_all(frame.next_bytes(0, frame.sent_bytes()))
        .await?;
    let last = listening.last().await?;
    // Its own copy, which is not waited for.
    read_frame(&mut publisher).await?;
    listening.publisher = Some(publisher);
    Ok(last - since)
}

/// What arrived of a flood, and in what time.
pub(crate) struct Counted {
    /// Before there was silence.
    pub(crate) messages: u64,
    pub(crate) took: Duration,
    /// After it.
    pub(crate) late: u64,
    /// How many gaps were told.
    pub(crate) gaps: u64,
}

impl Counted {
    pub(crate) fn per_second(&self) -> f64 {
        // A flood is far below 2^52 messages, where f64 is still exact.
        #[allow(clippy::cast_precision_loss)]
        let messages = self.messages as f64;
        messages / self.took.as_secs_f64()
    }
}

/// Counts what arrives while a flood runs, until nothing more comes.
pub(crate) async fn count_during(
    flood: impl Future<Output = io::Result<()>>,
    arrived: &AtomicU64,
) -> io::Result<Counted> {
    let since = Instant::now();
    flood.await?;
    let mut last = (Instant::now(), arrived.load(Ordering::Relaxed));
    while last.0.elapsed() < SILENCE {
        sleep(Duration::from_millis(5)).await;
        let now = arrived.load(Ordering::Relaxed);
        if now != last.1 {
            last = (Instant::now(), now);
        }
    }
    Ok(Counted {
        messages: last.1,
        took: last.0 - since,
        late: 0,
        gaps: 0,
    })
}

/// The same from a handler's view: a hub in this process publishes, as the client alone does.
pub(crate) async fn last_delivery_of(
    room: &Room,
    listening: &mut Listening,
) -> io::Result<Duration> {
    let since = Instant::now();
    let published = room.publish("m".repeat(64)).await;
    published.map_err(io::Error::other)?;
    Ok(listening.last().await? - since)
}

impl Listening {
    /// When the last of the sockets has a message.
    async fn last(&mut self) -> io::Result<Instant> {
        let mut missing = self.sockets;
        loop {
            let arrival = timeout(DELIVERY_DEADLINE, self.arrivals.recv()).await;
            let (at, frames) = arrival.ok().flatten().ok_or_else(lost)?;
            missing = missing.saturating_sub(frames);
            if missing == 0 {
                return Ok(at);
            }
        }
    }

    /// Counts what arrives at the one socket of a node while a flood of so many messages runs. What
    /// never comes must have been told as a gap.
    pub(crate) async fn count(
        mut self,
        node: &ServerProcess,
        messages: u64,
        flood: impl Future<Output = io::Result<()>>,
    ) -> io::Result<Counted> {
        let mut asking = open(node, "/rooms").await?;
        let gaps_before = gaps(&mut asking).await?;
        let arrived = Arc::new(AtomicU64::new(0));
        let counting = Arc::clone(&arrived);
        self.readers.spawn(async move {
            while let Some((_, frames)) = self.arrivals.recv().await {
                counting.fetch_add(frames as u64, Ordering::Relaxed);
            }
        });
        let mut counted = count_during(flood, &arrived).await?;
        let since = Instant::now();
        while arrived.load(Ordering::Relaxed) < messages && since.elapsed() < DELIVERY_DEADLINE {
            sleep(SILENCE).await;
        }
        let arrived = arrived.load(Ordering::Relaxed);
        counted.late = arrived - counted.messages;
        counted.gaps = gaps(&mut asking).await? - gaps_before;
        if arrived < messages && counted.gaps == 0 {
            return Err(io::Error::other(format!(
                "{} of {messages} messages did not arrive, and no gap was told",
                messages - arrived
            )));
        }
        Ok(counted)
    }
}

/// How many gaps a node has told its members.
async fn gaps(wire: &mut Wire) -> io::Result<u64> {
    let figures: Value = serde_json::from_str(&ask(wire, "figures").await?)?;
    figures["gaps"]
        .as_u64()
        .ok_or_else(|| io::Error::other("the node does not say its gaps"))
}

/// Lets a node publish, from inside: many publishers at once, each as many messages, one after the
/// other.
pub(crate) async fn flood(
    node: &ServerProcess,
    publishers: usize,
    messages: usize,
) -> io::Result<()> {
    let mut flooding = JoinSet::new();
    for _ in 0..publishers {
        let mut wire = open(node, "/rooms").await?;
        flooding.spawn(async move {
            let frame = Frame::exchange(Kind::Text, format!("flood {messages}").as_bytes(), &[]);
            wire.write_all(frame.next_bytes(0, frame.sent_bytes()))
                .await?;
            // It takes as long as it takes: whoever waits for the bench sees it.
            wire.read_u8().await
        });
    }
    while let Some(flooded) = flooding.join_next().await {
        flooded.map_err(io::Error::other)??;
    }
    Ok(())
}

fn lost() -> io::Error {
    io::Error::other("a message did not arrive in ten seconds")
}
