//! The bus's client alone: a publisher, and a subscriber that does nothing.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use redis::AsyncCommands as _;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::engine::Engine;
use super::nodes::{Counted, count_during};

/// A topic of its own, for round trips.
const TOPIC: &str = "wharf-bench";

/// What the hub's room is called on the bus.
const REDIS_ROOM: &str = "wharf:1:c:bench";
const NATS_ROOM: &str = "wharf.1.room.139.bench.c";

/// Longest wait for a message.
const DEADLINE: Duration = Duration::from_secs(10);

/// Time in which a subscription has reached the engine.
const SETTLE: Duration = Duration::from_millis(200);

/// 64 bytes, as through the hub.
const PAYLOAD: &[u8] = &[b'm'; 64];

/// A publisher and a subscriber, on a connection each.
pub(crate) struct Bare {
    publisher: Publisher,
    heard: Mutex<UnboundedReceiver<Instant>>,
    counted: Arc<AtomicU64>,
    listening: JoinHandle<()>,
}

enum Publisher {
    Redis(redis::aio::MultiplexedConnection),
    Nats(async_nats::Client),
}

impl Bare {
    /// For round trips, on a topic that nobody else hears.
    pub(crate) async fn apart(engine: &Engine) -> io::Result<Self> {
        Self::connect(engine, TOPIC).await
    }

    /// For counting what the hub publishes in its room.
    pub(crate) async fn beside_the_hub(engine: &Engine) -> io::Result<Self> {
        let room = match engine.scheme() {
            "redis" => REDIS_ROOM,
            _ => NATS_ROOM,
        };
        Self::connect(engine, room).await
    }

    async fn connect(engine: &Engine, topic: &'static str) -> io::Result<Self> {
        let (tell, heard) = unbounded_channel();
        let counted = Arc::default();
        let bare = match engine.scheme() {
            "redis" => redis_pair(engine, topic, tell, &counted).await,
            _ => nats_pair(engine, topic, tell, &counted).await,
        };
        let (publisher, listening) = bare?;
        sleep(SETTLE).await;
        Ok(Self {
            publisher,
            heard: Mutex::new(heard),
            counted,
            listening,
        })
    }

    /// From publishing a message to having it.
    pub(crate) async fn round_trip(&self) -> io::Result<Duration> {
        let since = Instant::now();
        match &self.publisher {
            Publisher::Redis(connection) => {
                let mut connection = connection.clone();
                let published = connection.publish::<_, _, ()>(TOPIC, PAYLOAD).await;
                published.map_err(io::Error::other)?;
            }
            Publisher::Nats(client) => {
                let published = client.publish(TOPIC, PAYLOAD.into()).await;
                published.map_err(io::Error::other)?;
            }
        }
        let mut heard = self.heard.lock().await;
        let at = timeout(DEADLINE, heard.recv()).await.ok().flatten();
        let at = at.ok_or_else(|| io::Error::other("the bus lost a message"))?;
        Ok(at - since)
    }

    /// Counts what arrives in the hub's room while a flood runs.
    pub(crate) async fn count(
        &self,
        flood: impl Future<Output = io::Result<()>>,
    ) -> io::Result<Counted> {
        self.counted.store(0, Ordering::Relaxed);
        count_during(flood, &self.counted).await
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

type Pair = (Publisher, JoinHandle<()>);

async fn redis_pair(
    engine: &Engine,
    topic: &'static str,
    tell: UnboundedSender<Instant>,
    counted: &Arc<AtomicU64>,
) -> io::Result<Pair> {
    let client = redis::Client::open(engine.url()).map_err(io::Error::other)?;
    let publisher = client.get_multiplexed_async_connection().await;
    let mut subscriber = client.get_async_pubsub().await.map_err(io::Error::other)?;
    let subscribed = subscriber.subscribe(topic).await;
    subscribed.map_err(io::Error::other)?;
    let counted = Arc::clone(counted);
    let listening = tokio::spawn(async move {
        let mut messages = subscriber.into_on_message();
        while messages.next().await.is_some() {
            note(topic, &tell, &counted);
        }
    });
    let publisher = Publisher::Redis(publisher.map_err(io::Error::other)?);
    Ok((publisher, listening))
}

async fn nats_pair(
    engine: &Engine,
    topic: &'static str,
    tell: UnboundedSender<Instant>,
    counted: &Arc<AtomicU64>,
) -> io::Result<Pair> {
    let connect = async || {
        async_nats::connect(engine.url())
            .await
            .map_err(io::Error::other)
    };
    let publisher = connect().await?;
    let client = connect().await?;
    let mut messages = client.subscribe(topic).await.map_err(io::Error::other)?;
    client.flush().await.map_err(io::Error::other)?;
    let counted = Arc::clone(counted);
    let listening = tokio::spawn(async move {
        while messages.next().await.is_some() {
            note(topic, &tell, &counted);
        }
        drop(client);
    });
    Ok((Publisher::Nats(publisher), listening))
}

fn note(topic: &str, tell: &UnboundedSender<Instant>, counted: &AtomicU64) {
    if topic == TOPIC {
        // Nobody waits for it any more once the run has ended.
        let _ = tell.send(Instant::now());
    } else {
        counted.fetch_add(1, Ordering::Relaxed);
    }
}
