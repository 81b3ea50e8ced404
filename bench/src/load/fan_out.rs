//! One message to a thousand sockets.

use std::cmp::Ordering::{Equal, Greater, Less};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::client::{connect, expect_echo};
use super::frame::{Frame, Kind};
use super::{Sample, Target, Window};
use crate::histogram::Histogram;
use crate::machine::Meter;

/// Longest wait for a message to have reached everybody.
const DELIVERY_DEADLINE: Duration = Duration::from_secs(10);

/// What stalled sockets are sent before anybody else joins: 6 MiB, more than the kernel buffers
/// of a connection hold (4 MiB on the sending side, by default), so that they do stall.
const STALLING_MESSAGES: usize = 96;
const STALLING_BYTES: usize = 64 << 10;

/// Time for the last joined socket to be in the server's list.
const JOIN_SETTLE: Duration = Duration::from_millis(200);

/// Messages sent one by one to everybody who has joined `/fan`.
#[derive(Clone, Copy, Debug)]
pub struct FanOutLoad {
    /// Sockets that read. One of them also sends.
    pub receivers: usize,
    /// Sockets that have joined, never read, and are full.
    pub stalled: usize,
    /// Payload of the message.
    pub payload_bytes: usize,
}

impl FanOutLoad {
    /// Sends message after message, each when the one before has reached every receiver.
    ///
    /// An operation is one delivery; the latency is that of the last receiver of a message.
    ///
    /// # Errors
    ///
    /// A receiver fails or does not get a message in ten seconds.
    pub async fn run(&self, target: Target, window: Window) -> io::Result<Sample> {
        let stalled = self.open_stalled(target).await?;
        let frame = Frame::new(Kind::Text, self.payload_bytes);
        let arrivals = Arc::new(Arrivals::default());
        let mut readers = JoinSet::new();
        let mut writers = Vec::with_capacity(self.receivers);
        for _ in 0..self.receivers {
            let (reader, writer) = connect(target.addr, "/fan").await?.into_split();
            let reader = Receiver {
                stream: reader,
                arrivals: Arc::clone(&arrivals),
            };
            readers.spawn(reader.run());
            // One sends; the others are kept, because dropping a write half shuts its direction.
            writers.push(writer);
        }
        sleep(JOIN_SETTLE).await;

        let sending = async {
            let writer = writers
                .first_mut()
                .ok_or_else(|| io::Error::other("no receivers"))?;
            let message = frame.next_bytes(0, frame.sent_bytes());
            let each_round = frame.echo().len() as u64 * self.receivers as u64;
            let rounds = Rounds {
                arrivals: &arrivals,
                each_round,
            };
            let mut latency = Histogram::new();
            rounds
                .run(writer, message, window.warm_up, &mut Histogram::new())
                .await?;
            let meter = Meter::begin(target.pid)?;
            rounds
                .run(writer, message, window.measured, &mut latency)
                .await?;
            // A run sends far fewer than 2^52 messages, up to which f64 is exact.
            #[allow(clippy::cast_precision_loss)]
            let operations = (latency.total() * self.receivers as u64) as f64;
            Ok(Sample {
                operations,
                usage: meter.end()?,
                latency,
            })
        };
        let sample = tokio::select! {
            sample = sending => sample,
            Some(ended) = readers.join_next() => Err(ended.unwrap_or_else(io::Error::other)),
        };
        drop(stalled);
        sample
    }

    /// Opens the sockets that never read, and fills them.
    async fn open_stalled(&self, target: Target) -> io::Result<Vec<TcpStream>> {
        let mut stalled = Vec::with_capacity(self.stalled);
        if self.stalled == 0 {
            return Ok(stalled);
        }
        for _ in 0..self.stalled {
            stalled.push(connect(target.addr, "/fan").await?);
        }
        let mut filler = connect(target.addr, "/fan").await?;
        sleep(JOIN_SETTLE).await;
        let frame = Frame::new(Kind::Text, STALLING_BYTES);
        for _ in 0..STALLING_MESSAGES {
            // Its own copy comes back, so the server has handed this one out.
            expect_echo(&mut filler, &frame).await?;
        }
        Ok(stalled)
    }
}

/// Rounds of one message each.
struct Rounds<'a> {
    arrivals: &'a Arrivals,
    each_round: u64,
}

impl Rounds<'_> {
    async fn run(
        &self,
        writer: &mut OwnedWriteHalf,
        message: &[u8],
        duration: Duration,
        latency: &mut Histogram,
    ) -> io::Result<()> {
        let since = Instant::now();
        while since.elapsed() < duration {
            let sent = Instant::now();
            self.arrivals.expect(self.each_round);
            writer.write_all(message).await?;
            timeout(DELIVERY_DEADLINE, self.arrivals.complete.notified())
                .await
                .map_err(|_| io::Error::other("a message did not reach everybody in time"))?;
            latency.record(sent.elapsed(), 1);
        }
        Ok(())
    }
}

/// Bytes of the current round that have not arrived yet.
#[derive(Default)]
struct Arrivals {
    missing_bytes: AtomicU64,
    complete: Notify,
}

impl Arrivals {
    fn expect(&self, bytes: u64) {
        self.missing_bytes.store(bytes, Ordering::Relaxed);
    }

    fn note(&self, bytes: u64) -> io::Result<()> {
        match self
            .missing_bytes
            .fetch_sub(bytes, Ordering::Relaxed)
            .cmp(&bytes)
        {
            Greater => {}
            Equal => self.complete.notify_one(),
            Less => return Err(io::Error::other("more arrived than was sent")),
        }
        Ok(())
    }
}

/// One socket that counts what it gets.
struct Receiver {
    stream: OwnedReadHalf,
    arrivals: Arc<Arrivals>,
}

impl Receiver {
    /// Runs until the connection fails.
    async fn run(mut self) -> io::Error {
        loop {
            if let Err(error) = std::future::poll_fn(|cx| self.poll_receive(cx)).await {
                return error;
            }
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut buffer = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        Poll::Ready(match buffer.filled().len() {
            0 => Err(io::Error::other("the server closed a receiver")),
            bytes => self.arrivals.note(bytes as u64),
        })
    }
}
