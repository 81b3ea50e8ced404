//! Links to one server, and what they cost this process.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use wharf_bench::machine::{cpu_time, resident_bytes};

/// What is said: 64 bytes, as in the servers' table.
pub(crate) const MESSAGE: &str = "the quick brown fox jumps over the lazy dog, and back once more.";

/// Links opened before the first reading, so that what is allocated once is not counted by the
/// link.
const WARM_UP_LINKS: usize = 64;

/// Time in which everything comes to rest before memory is read, and in which a load gets going.
const SETTLE: Duration = Duration::from_millis(400);

/// Longest wait for all links to be open.
const OPEN_DEADLINE: Duration = Duration::from_secs(30);

/// What a link does.
#[derive(Clone)]
pub(crate) struct Link {
    /// Where to.
    pub(crate) url: Arc<str>,
    /// Messages that leave together, the next when all are back; 0 to say nothing.
    pub(crate) in_flight: usize,
    /// Messages that came back, of all links.
    pub(crate) echoed: Arc<AtomicU64>,
    /// Gets a permit from each link that is open.
    pub(crate) opened: Arc<Semaphore>,
}

impl Link {
    /// A round is over.
    pub(crate) fn count(&self) {
        self.echoed
            .fetch_add(self.in_flight as u64, Ordering::Relaxed);
    }
}

/// Opens a link, and runs it until it fails.
pub(crate) type Opening = fn(Link) -> BoxFuture<'static, io::Result<()>>;

/// So many links.
pub(crate) struct Load {
    pub(crate) url: String,
    pub(crate) links: usize,
    pub(crate) in_flight: usize,
    pub(crate) seconds: f64,
}

impl Load {
    /// Runs the load; returns what it found as JSON.
    pub(crate) async fn measure(&self, open: Opening) -> io::Result<String> {
        let link = Link {
            url: Arc::from(self.url.as_str()),
            in_flight: self.in_flight,
            echoed: Arc::default(),
            opened: Arc::new(Semaphore::new(0)),
        };
        let pid = std::process::id();
        let (mut before, mut running) = (0, Vec::new());
        if self.in_flight == 0 {
            running.extend(start(&link, open, WARM_UP_LINKS).await?);
            sleep(SETTLE).await;
            before = resident_bytes(pid)?;
        }
        running.extend(start(&link, open, self.links).await?);
        sleep(SETTLE).await;
        let found = match self.in_flight {
            0 => {
                let grown = resident_bytes(pid)?.saturating_sub(before);
                json!({ "bytes_per_link": grown / self.links as u64 })
            }
            _ => {
                let (messages, cpu) = (link.echoed.load(Ordering::Relaxed), cpu_time(pid)?);
                sleep(Duration::try_from_secs_f64(self.seconds).map_err(io::Error::other)?).await;
                let messages = link.echoed.load(Ordering::Relaxed) - messages;
                let cpu = cpu_time(pid)?.saturating_sub(cpu);
                let messages = u32::try_from(messages).map_err(io::Error::other)?;
                json!({
                    "messages": messages,
                    "cpu_micros": cpu.as_secs_f64() * 1e6 / f64::from(messages),
                })
            }
        };
        for link in running {
            if link.is_finished() {
                link.await.map_err(io::Error::other)??;
            }
        }
        Ok(found.to_string())
    }
}

async fn start(
    link: &Link,
    open: Opening,
    links: usize,
) -> io::Result<Vec<JoinHandle<io::Result<()>>>> {
    let mut running = Vec::with_capacity(links);
    for _ in 0..links {
        running.push(tokio::spawn(open(link.clone())));
        // One after the other: a burst would fill the server's queue of connections.
        let opened = timeout(OPEN_DEADLINE, link.opened.acquire()).await;
        match opened {
            Ok(permit) => permit.map_err(io::Error::other)?.forget(),
            Err(_) => return Err(io::Error::other("a link did not open")),
        }
    }
    Ok(running)
}
