//! Memory of connections that say nothing.

use std::io;
use std::time::Duration;

use tokio::time::sleep;

use super::Target;
use super::answer::expect_answer;
use super::frame::{Frame, Kind};
use super::json::Feed;
use super::wire::Wire;
use crate::machine::resident_bytes;

/// Connections opened before the first reading, so that what a server allocates once, or by the
/// thread, is not counted by the connection: this many, and no more than a quarter of the others.
const WARM_UP_CONNECTIONS: usize = 64;

/// Time in which a server comes to rest before its memory is read.
const SETTLE: Duration = Duration::from_millis(400);

/// What each connection says before it falls silent. Shows whether what a message needed is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// One message of this size.
    OneMessage(usize),
    /// JSON, this many messages of this size, compressed as agreed.
    Json(usize, usize),
}

/// Idle connections, opened and left alone.
#[derive(Clone, Copy, Debug)]
pub struct IdleLoad {
    /// Connections over which the growth is divided.
    pub connections: usize,
    /// What was said before.
    pub before: Before,
}

impl IdleLoad {
    /// Opens the connections; returns the resident bytes that each added.
    ///
    /// # Errors
    ///
    /// A connection fails.
    pub async fn run(&self, target: &Target) -> io::Result<f64> {
        let warm_up = WARM_UP_CONNECTIONS.min(self.connections / 4);
        let warm_up = self.open(target, warm_up).await?;
        sleep(SETTLE).await;
        let before = resident_bytes(target.pid)?;
        let idle = self.open(target, self.connections).await?;
        sleep(SETTLE).await;
        let after = resident_bytes(target.pid)?;
        drop((warm_up, idle));
        // Memory is far below 2^52 bytes, where f64 is still exact.
        #[allow(clippy::cast_precision_loss)]
        let bytes = after.saturating_sub(before) as f64 / self.connections as f64;
        Ok(bytes)
    }

    async fn open(&self, target: &Target, connections: usize) -> io::Result<Vec<Wire>> {
        let mut feed = None;
        let mut wires = Vec::with_capacity(connections);
        for _ in 0..connections {
            let mut opened = target.door.connect().await?;
            match self.before {
                Before::Nothing => {}
                Before::OneMessage(bytes) => {
                    let frame = Frame::new(Kind::Binary, bytes);
                    expect_answer(&mut opened.wire, &frame).await?;
                }
                Before::Json(messages, bytes) => {
                    // All agree on the same, and are told the same.
                    let feed = feed.get_or_insert_with(|| {
                        Feed::new(bytes, target.door.offer(), opened.deflate)
                    });
                    feed.say(&mut opened.wire, messages).await?;
                }
            }
            wires.push(opened.wire);
        }
        Ok(wires)
    }
}
