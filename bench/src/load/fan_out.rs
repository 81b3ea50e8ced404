//! One message to a thousand sockets.

use std::cmp::Ordering::{Equal, Greater, Less};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWriteExt as _, ReadBuf, WriteHalf};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::answer::{expect_answer, read_frame};
use super::frame::{Frame, Kind};
use super::json;
use super::wire::Wire;
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

/// What is sent to everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FanOutContent {
    /// Letters.
    Letters(usize),
    /// JSON.
    Json(usize),
}

impl FanOutContent {
    fn to_frame(self) -> Frame {
        match self {
            Self::Letters(bytes) => Frame::new(Kind::Text, bytes),
            Self::Json(bytes) => {
                let text = json::message(bytes, 0);
                Frame::exchange(Kind::Text, text.as_bytes(), text.as_bytes())
            }
        }
    }
}

/// Messages sent one by one to everybody who has joined.
#[derive(Clone, Copy, Debug)]
pub struct FanOutLoad {
    /// Sockets that read. One of them also sends.
    pub receivers: usize,
    /// Sockets that have joined, never read, and are full.
    pub stalled: usize,
    /// The message.
    pub content: FanOutContent,
}

impl FanOutLoad {
    /// Sends message after message, each when the one before has reached every receiver.
    ///
    /// An operation is one delivery; the latency is that of the last receiver of a message.
    ///
    /// # Errors
    ///
    /// A receiver fails or does not get a message in ten seconds.
    pub async fn run(&self, target: &Target, window: Window) -> io::Result<Sample> {
        let stalled = self.open_stalled(target).await?;
        let frame = self.content.to_frame();
        let message = frame.next_bytes(0, frame.sent_bytes());

        // What arrives may be another message than the one that was sent, or a compressed one; all
        // get the same.
        let mut first = target.door.connect().await?.wire;
        sleep(JOIN_SETTLE).await;
        first.write_all(message).await?;
        let delivered_bytes = read_frame(&mut first).await?.wire.len();

        let arrivals = Arc::new(Arrivals::default());
        let mut readers = JoinSet::new();
        let (reader, mut writer) = tokio::io::split(first);
        readers.spawn(Receiver::new(reader, &arrivals).run());
        for _ in 1..self.receivers {
            let wire = target.door.connect().await?.wire;
            readers.spawn(Receiver::new(wire, &arrivals).run());
        }
        sleep(JOIN_SETTLE).await;

        let sending = async {
            let rounds = Rounds {
                arrivals: &arrivals,
                each_round: delivered_bytes as u64 * self.receivers as u64,
            };
            let mut latency = Histogram::new();
            rounds
                .run(&mut writer, message, window.warm_up, &mut Histogram::new())
                .await?;
            let meter = Meter::begin(target.pid)?;
            rounds
                .run(&mut writer, message, window.measured, &mut latency)
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
    async fn open_stalled(&self, target: &Target) -> io::Result<Vec<Wire>> {
        let mut stalled = Vec::with_capacity(self.stalled);
        if self.stalled == 0 {
            return Ok(stalled);
        }
        for _ in 0..self.stalled {
            stalled.push(target.door.connect().await?.wire);
        }
        let mut filler = target.door.connect().await?.wire;
        sleep(JOIN_SETTLE).await;
        let frame = Frame::new(Kind::Text, STALLING_BYTES);
        for _ in 0..STALLING_MESSAGES {
            // Its own copy comes back, so the server has handed this one out.
            expect_answer(&mut filler, &frame).await?;
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
        writer: &mut WriteHalf<Wire>,
        message: &[u8],
        duration: Duration,
        latency: &mut Histogram,
    ) -> io::Result<()> {
        let since = Instant::now();
        while since.elapsed() < duration {
            let sent = Instant::now();
            self.arrivals.expect(self.each_round);
            writer.write_all(message).await?;
            writer.flush().await?;
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
struct Receiver<R> {
    stream: R,
    arrivals: Arc<Arrivals>,
}

impl<R: AsyncRead + Unpin> Receiver<R> {
    fn new(stream: R, arrivals: &Arc<Arrivals>) -> Self {
        Self {
            stream,
            arrivals: Arc::clone(arrivals),
        }
    }

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
