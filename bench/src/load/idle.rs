//! Memory of connections that say nothing.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::sleep;

use super::Target;
use super::client::{connect, expect_echo};
use super::frame::{Frame, Kind};
use crate::machine::resident_bytes;

/// Connections opened before the first reading, so that what a server allocates once, or by the
/// thread, is not counted by the connection.
const WARM_UP_CONNECTIONS: usize = 64;

/// Time in which a server comes to rest before its memory is read.
const SETTLE: Duration = Duration::from_millis(400);

/// Idle connections, opened and left alone.
#[derive(Clone, Copy, Debug)]
pub struct IdleLoad {
    /// Connections over which the growth is divided.
    pub connections: usize,
    /// Each connection echoes one message of this size before it falls silent; 0 for none. Shows
    /// whether buffers that a message needed are kept.
    pub first_message_bytes: usize,
}

impl IdleLoad {
    /// Opens the connections; returns the resident bytes that each added.
    ///
    /// # Errors
    ///
    /// A connection fails.
    pub async fn run(&self, target: Target) -> io::Result<f64> {
        let warm_up = self.open(target, WARM_UP_CONNECTIONS).await?;
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

    async fn open(&self, target: Target, connections: usize) -> io::Result<Vec<TcpStream>> {
        let frame = Frame::new(Kind::Binary, self.first_message_bytes);
        let mut streams = Vec::with_capacity(connections);
        for _ in 0..connections {
            let mut stream = connect(target.addr, "/echo").await?;
            if self.first_message_bytes > 0 {
                expect_echo(&mut stream, &frame).await?;
            }
            streams.push(stream);
        }
        Ok(streams)
    }
}
