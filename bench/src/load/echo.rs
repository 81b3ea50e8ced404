//! Messages there and back: connections × messages in flight × size × kind.

use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::answer::expect_answer;
use super::frame::{Frame, Kind};
use super::wire::Wire;
use super::{Sample, Target, Window};
use crate::histogram::Histogram;
use crate::machine::{Meter, Usage};
use crate::messages::{EVENT, REPLY};

/// Read at most this much at once.
const READ_BYTES: usize = 128 << 10;

/// When a client sends again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pacing {
    /// All messages in flight leave in one write; the next round begins when all are back. What
    /// a burst of work looks like; a server that lets Nagle's algorithm wait shows it here.
    Rounds,
    /// A message leaves for each that comes back.
    Sliding,
}

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// This many bytes, which come back as they are.
    Bytes(Kind, usize),
    /// An event with an id, and its reply: what `messages.rs` says.
    Event,
}

impl Content {
    fn to_frame(self) -> Frame {
        match self {
            Self::Bytes(kind, payload_bytes) => Frame::new(kind, payload_bytes),
            Self::Event => Frame::exchange(Kind::Text, EVENT.as_bytes(), REPLY.as_bytes()),
        }
    }
}

/// An echo load.
#[derive(Clone, Copy, Debug)]
pub struct EchoLoad {
    /// Connections open at once.
    pub connections: usize,
    /// Messages in flight on each.
    pub in_flight: usize,
    /// Each message.
    pub content: Content,
    /// When the next message leaves.
    pub pacing: Pacing,
}

impl EchoLoad {
    /// Loads the target for a while.
    ///
    /// # Errors
    ///
    /// A connection fails, or the server returns something else than what it was sent.
    pub async fn run(&self, target: &Target, window: Window) -> io::Result<Sample> {
        let frame = Arc::new(self.content.to_frame());
        let tally = Arc::new(Tally::default());
        let mut streams = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            let mut wire = target.door.connect().await?.wire;
            expect_answer(&mut wire, &frame).await?;
            streams.push(wire);
        }
        let mut clients = JoinSet::new();
        for stream in streams {
            let client = EchoClient::new(stream, self, Arc::clone(&frame), Arc::clone(&tally));
            clients.spawn(client.run());
        }

        // A client ends only by failing, and then the run has failed.
        let measuring = measure(target.pid, window, &tally);
        let (echoed_bytes, usage) = tokio::select! {
            measured = measuring => measured?,
            Some(ended) = clients.join_next() => return Err(ended.unwrap_or_else(io::Error::other)),
        };
        let latency = tally
            .latency
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        // Byte counts of one run are far below 2^52, where f64 is still exact.
        #[allow(clippy::cast_precision_loss)]
        let operations = echoed_bytes as f64 / frame.answer().len() as f64;
        Ok(Sample {
            operations,
            usage,
            latency,
        })
    }
}

async fn measure(pid: u32, window: Window, tally: &Tally) -> io::Result<(u64, Usage)> {
    sleep(window.warm_up).await;
    let before = tally.echoed_bytes.load(Ordering::Relaxed);
    let meter = Meter::begin(pid)?;
    tally.recording.store(true, Ordering::Relaxed);
    sleep(window.measured).await;
    tally.recording.store(false, Ordering::Relaxed);
    let usage = meter.end()?;
    Ok((tally.echoed_bytes.load(Ordering::Relaxed) - before, usage))
}

/// What all clients of a run add to: once a read, not once a message.
#[derive(Default)]
struct Tally {
    recording: AtomicBool,
    echoed_bytes: AtomicU64,
    latency: Mutex<Histogram>,
}

/// Messages that left together, at the same time.
struct Departed {
    at: Instant,
    messages: usize,
}

/// One connection, writing and reading at the same time: a client that read only after it had
/// written everything would stop a server that does the same.
struct EchoClient {
    stream: Wire,
    frame: Arc<Frame>,
    tally: Arc<Tally>,
    pacing: Pacing,
    in_flight: usize,
    sent_bytes: u64,
    owed_bytes: usize,
    /// Bytes received of a frame that is not complete.
    partial_bytes: usize,
    departed: VecDeque<Departed>,
}

impl EchoClient {
    fn new(stream: Wire, load: &EchoLoad, frame: Arc<Frame>, tally: Arc<Tally>) -> Self {
        Self {
            stream,
            frame,
            tally,
            pacing: load.pacing,
            in_flight: load.in_flight,
            sent_bytes: 0,
            owed_bytes: 0,
            partial_bytes: 0,
            departed: VecDeque::with_capacity(load.in_flight),
        }
    }

    /// Runs until the connection fails.
    async fn run(mut self) -> io::Error {
        self.depart(Instant::now(), self.in_flight);
        loop {
            if let Err(error) = std::future::poll_fn(|cx| self.poll_exchange(cx)).await {
                return error;
            }
        }
    }

    /// Writes what is owed as far as it goes, then reads once.
    fn poll_exchange(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.owed_bytes > 0 {
            let bytes = self.frame.next_bytes(self.sent_bytes, self.owed_bytes);
            match Pin::new(&mut self.stream).poll_write(cx, bytes) {
                Poll::Ready(written) => {
                    let written = written?;
                    self.sent_bytes += written as u64;
                    self.owed_bytes -= written;
                }
                Poll::Pending => break,
            }
        }
        // What TLS and HTTP/2 hold back; TCP holds nothing.
        if let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(cx) {
            flushed?;
        }
        // Never initialised, because never looked at: only its length counts.
        let mut space = [MaybeUninit::uninit(); READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        Poll::Ready(self.received(buffer.filled().len()))
    }

    fn received(&mut self, bytes: usize) -> io::Result<()> {
        if bytes == 0 {
            return Err(io::Error::other(
                "the server closed a connection under load",
            ));
        }
        self.tally
            .echoed_bytes
            .fetch_add(bytes as u64, Ordering::Relaxed);
        self.partial_bytes += bytes;
        let echo_bytes = self.frame.answer().len();
        let arrived = self.partial_bytes / echo_bytes;
        self.partial_bytes %= echo_bytes;
        if arrived == 0 {
            return Ok(());
        }
        let now = Instant::now();
        self.settle(now, arrived)?;
        match self.pacing {
            Pacing::Sliding => self.depart(now, arrived),
            Pacing::Rounds if self.departed.is_empty() => self.depart(now, self.in_flight),
            Pacing::Rounds => {}
        }
        Ok(())
    }

    fn depart(&mut self, at: Instant, messages: usize) {
        self.owed_bytes += messages * self.frame.sent_bytes();
        self.departed.push_back(Departed { at, messages });
    }

    /// Takes the latency of messages that came back, oldest first.
    fn settle(&mut self, now: Instant, mut arrived: usize) -> io::Result<()> {
        let recording = self.tally.recording.load(Ordering::Relaxed);
        while arrived > 0 {
            let Some(oldest) = self.departed.front_mut() else {
                return Err(io::Error::other("the server sent more than it was sent"));
            };
            let settled = arrived.min(oldest.messages);
            if recording {
                let mut latency = self
                    .tally
                    .latency
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                latency.record(now - oldest.at, settled as u64);
            }
            arrived -= settled;
            oldest.messages -= settled;
            if oldest.messages == 0 {
                self.departed.pop_front();
            }
        }
        Ok(())
    }
}
