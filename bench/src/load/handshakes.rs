//! How fast, and at what price, a server accepts and upgrades.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::wire::Wire;
use super::{Sample, Target, Window};
use crate::histogram::Histogram;
use crate::machine::{Meter, Usage, cpu_time};

/// Connections of one batch.
const BATCH: u32 = 1000;

/// Longest wait for a server to have torn down the connections of a batch.
const TEARDOWN_DEADLINE: Duration = Duration::from_secs(2);

/// A server is at rest when it has used less than this in [`REST_PROBE`].
const REST_CPU: Duration = Duration::from_micros(200);
const REST_PROBE: Duration = Duration::from_millis(15);

/// A server opens batches of connections; closing them again is not measured.
#[derive(Clone, Copy, Debug)]
pub struct HandshakeLoad {
    /// Handshakes under way at once.
    pub concurrency: usize,
}

impl HandshakeLoad {
    /// Opens batches until the measured time has been spent opening, at least two.
    ///
    /// # Errors
    ///
    /// A handshake fails.
    pub async fn run(&self, target: &Target, window: Window) -> io::Result<Sample> {
        let mut latency = Histogram::new();
        let warm_up = self.open_batch(target, &mut Histogram::new()).await?;
        close(warm_up, target).await?;

        let mut usage = Usage::default();
        let mut batches = 0;
        while usage.wall < window.measured || batches < 2 {
            let meter = Meter::begin(target.pid)?;
            let batch = self.open_batch(target, &mut latency).await?;
            usage.add(meter.end()?);
            batches += 1;
            close(batch, target).await?;
        }
        let operations = f64::from(batches * BATCH);
        Ok(Sample {
            operations,
            usage,
            latency,
        })
    }

    async fn open_batch(&self, target: &Target, latency: &mut Histogram) -> io::Result<Vec<Wire>> {
        let mut opening = JoinSet::new();
        let mut open = Vec::new();
        let mut unstarted = BATCH;
        loop {
            while unstarted > 0 && opening.len() < self.concurrency {
                let door = Arc::clone(&target.door);
                opening.spawn(async move {
                    let since = Instant::now();
                    let opened = door.connect().await?;
                    io::Result::Ok((opened.wire, since.elapsed()))
                });
                unstarted -= 1;
            }
            let Some(opened) = opening.join_next().await else {
                return Ok(open);
            };
            let (wire, took) = opened.map_err(io::Error::other)??;
            latency.record(took, 1);
            open.push(wire);
        }
    }
}

/// Closes a batch and waits until the server has dealt with it.
async fn close(batch: Vec<Wire>, target: &Target) -> io::Result<()> {
    for wire in batch {
        wire.reset_when_dropped()?;
    }
    let since = Instant::now();
    let mut used = cpu_time(target.pid)?;
    while since.elapsed() < TEARDOWN_DEADLINE {
        sleep(REST_PROBE).await;
        let now = cpu_time(target.pid)?;
        if now.saturating_sub(used) < REST_CPU {
            break;
        }
        used = now;
    }
    Ok(())
}
