//! Connections that are kept in a bad state for as long as an attack lasts.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, sleep_until, timeout_at},
};

/// A request for a socket, without its path.
const UPGRADE: &str = "HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// How long a connection is held before another takes its place: newcomers never stop.
const HELD: Duration = Duration::from_secs(4);

/// What attackers still hold when the attack is over.
pub(crate) type Held = Vec<TcpStream>;

/// Whom an attack is for, and until when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) until: Instant,
}

impl Target {
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Keeps so many connections in the state that `begin` brings them to. One that the server
    /// ends, or that was held long enough, is replaced.
    pub(crate) async fn keep(
        self,
        count: usize,
        begin: impl AsyncFn(&mut TcpStream) -> io::Result<()>,
    ) -> Held {
        let held = join_all((0..count).map(|_| self.keep_one(&begin))).await;
        held.into_iter().flatten().collect()
    }

    async fn keep_one(
        self,
        begin: &impl AsyncFn(&mut TcpStream) -> io::Result<()>,
    ) -> Option<TcpStream> {
        while !self.is_over() {
            let Ok(mut stream) = TcpStream::connect(self.address).await else {
                sleep(Duration::from_millis(20)).await;
                continue;
            };
            match timeout_at(self.until.into(), begin(&mut stream)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => {
                    sleep(Duration::from_millis(20)).await;
                    continue;
                }
                // In the middle of it is a bad state as well.
                Err(_) => return Some(stream),
            }
            let enough = Instant::now() + HELD;
            if enough >= self.until {
                sleep_until(self.until.into()).await;
                return Some(stream);
            }
            sleep_until(enough.into()).await;
        }
        None
    }
}

/// The request for a socket at a path, as far as its last header line.
pub(crate) fn upgrade(path: &str) -> String {
    format!("GET {path} {UPGRADE}")
}

/// Opens a socket: sends the request and reads the answer's head, which may be a refusal.
pub(crate) async fn open(stream: &mut TcpStream, path: &str) -> io::Result<()> {
    stream
        .write_all(format!("{}\r\n", upgrade(path)).as_bytes())
        .await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    if &status != b"HTTP/1.1 101" {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    read_head(stream).await
}

/// Reads as far as the end of a head, byte by byte: what follows it stays in the kernel.
pub(crate) async fn read_head(stream: &mut TcpStream) -> io::Result<()> {
    let mut end = [0; 4];
    while &end != b"\r\n\r\n" {
        end.rotate_left(1);
        end[3] = stream.read_u8().await?;
    }
    Ok(())
}
