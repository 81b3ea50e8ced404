//! Coming back, again and again: what is left of it afterwards.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};
use wharf_bench::machine::resident_bytes;
use wharf_client::{Client, link::Event};

/// Links that are not counted: what is allocated once.
const WARM_UP: usize = 500;

/// Time in which what ends comes to rest.
const SETTLE: Duration = Duration::from_millis(500);

/// Longest wait for a link to be back.
const DEADLINE: Duration = Duration::from_secs(10);

/// Comes back as often as it is told; returns what was there before and after, as JSON.
pub(crate) async fn measure(url: &str, times: usize) -> io::Result<String> {
    let client = Client::builder().build().map_err(io::Error::other)?;
    let mut link = client
        .reconnecting_to(url)
        .backoff(Duration::from_micros(100), Duration::from_micros(100))
        .final_when(|_| false)
        .open();
    come_back(&mut link, WARM_UP).await?;
    let before = held()?;
    let since = Instant::now();
    come_back(&mut link, times).await?;
    let seconds = since.elapsed().as_secs_f64();
    let after = held()?;
    drop(link);
    sleep(SETTLE).await;
    let found = json!({
        "times": times, "seconds": seconds,
        "before": before, "after": after, "dropped": held()?,
    });
    Ok(found.to_string())
}

async fn come_back(link: &mut wharf_client::link::Link, times: usize) -> io::Result<()> {
    let mut connected = 0;
    while connected < times {
        let event = timeout(DEADLINE, link.next()).await;
        match event.map_err(|_| io::Error::other("the link is not back in ten seconds"))? {
            Some(Event::Connected { .. }) => connected += 1,
            Some(_) => {}
            None => return Err(io::Error::other("the link has ended")),
        }
    }
    Ok(())
}

/// Memory, tasks and descriptors of this process.
fn held() -> io::Result<Value> {
    Ok(json!({
        "resident_kib": resident_bytes(std::process::id())? / 1024,
        "tasks": Handle::current().metrics().num_alive_tasks(),
        "descriptors": fs::read_dir("/proc/self/fd")?.count(),
    }))
}
