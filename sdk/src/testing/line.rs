//! The client's end of the connection, and how fast it is emptied.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    time::{Interval, MissedTickBehavior, interval},
};

/// What one read takes at most.
const READ_BYTES: usize = 16 * 1024;

/// A connection with what has arrived and what has not left yet.
///
/// Every future of it may be dropped and nothing is lost: bytes are in one of the buffers.
#[derive(Debug)]
pub(super) struct Line {
    stream: Option<DuplexStream>,
    inbound: BytesMut,
    outbound: BytesMut,
    pace: Pace,
    holds_back: bool,
}

/// How fast a client reads.
#[derive(Debug)]
pub(super) enum Pace {
    Full,
    Slow {
        bytes: usize,
        ticks: Interval,
        /// The next read need not wait for a tick.
        has_ticked: bool,
    },
    Stopped,
}

impl Pace {
    pub(super) fn slow(bytes: usize, every: Duration) -> Self {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick would be at once, and nothing is read in no time.
        ticks.reset();
        Self::Slow {
            bytes,
            ticks,
            has_ticked: false,
        }
    }
}

impl Line {
    pub(super) fn new(stream: DuplexStream) -> Self {
        Self {
            stream: Some(stream),
            inbound: BytesMut::new(),
            outbound: BytesMut::new(),
            pace: Pace::Full,
            holds_back: false,
        }
    }

    pub(super) fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// Keeps what is sent, or lets it go again.
    pub(super) fn hold_back(&mut self, holds_back: bool) {
        self.holds_back = holds_back;
    }

    pub(super) fn reads(&self) -> bool {
        !matches!(self.pace, Pace::Stopped)
    }

    /// Ends the connection and forgets what was on its way.
    pub(super) fn cut(&mut self) {
        self.stream = None;
        self.outbound.clear();
    }

    /// What has arrived.
    pub(super) fn inbound(&mut self) -> &mut BytesMut {
        &mut self.inbound
    }

    /// What leaves with the next flush or read.
    pub(super) fn outbound(&mut self) -> &mut BytesMut {
        &mut self.outbound
    }

    /// Waits until everything has left, or the server is gone. While sending is held back, there
    /// is nothing to wait for.
    pub(super) async fn flush(&mut self) {
        poll_fn(|cx| self.poll_flush(cx)).await;
    }

    /// Waits for bytes; `false` at the end. What has to leave does so meanwhile, so that a client
    /// that answers a ping and a server that waits for its reader never wait for each other.
    pub(super) async fn fill(&mut self) -> bool {
        poll_fn(|cx| {
            let _ = self.poll_flush(cx);
            self.poll_fill(cx)
        })
        .await
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.holds_back && !self.outbound.is_empty() {
            let Some(stream) = &mut self.stream else {
                self.outbound.clear();
                break;
            };
            match ready!(Pin::new(stream).poll_write(cx, &self.outbound)) {
                Ok(count) => self.outbound.advance(count),
                // What a gone server does not take is dropped; what it sent can still be read.
                Err(_) => self.outbound.clear(),
            }
        }
        Poll::Ready(())
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(false);
        };
        let at_most = match &mut self.pace {
            Pace::Full => READ_BYTES,
            Pace::Stopped => return Poll::Pending,
            Pace::Slow {
                bytes,
                ticks,
                has_ticked,
            } => {
                if !*has_ticked {
                    ready!(ticks.poll_tick(cx));
                    *has_ticked = true;
                }
                READ_BYTES.min(*bytes)
            }
        };
        let mut chunk = [0; READ_BYTES];
        let mut chunk = ReadBuf::new(&mut chunk[..at_most]);
        let read = ready!(Pin::new(stream).poll_read(cx, &mut chunk));
        if let Pace::Slow { has_ticked, .. } = &mut self.pace {
            *has_ticked = false;
        }
        if read.is_err() || chunk.filled().is_empty() {
            self.stream = None;
            return Poll::Ready(false);
        }
        self.inbound.extend_from_slice(chunk.filled());
        Poll::Ready(true)
    }
}
