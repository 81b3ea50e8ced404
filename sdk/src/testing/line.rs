//! The client's end of the connection, and how fast it is emptied.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use futures::task::AtomicWaker;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    time::{Interval, MissedTickBehavior, interval},
};

use super::pings::Pings;
use crate::wire::{OpCode, encode_client_frame};

/// Any key will do.
pub(super) const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// What one read takes at most.
const READ_BYTES: usize = 16 * 1024;

/// How much is read while the test does something else.
const AHEAD_BYTES: usize = 64 * 1024;

/// A connection with what has arrived and what has not left yet.
///
/// A task reads ahead of the test and answers pings, so that time may pass. Every future of it may
/// be dropped and nothing is lost: bytes are in one of the buffers.
#[derive(Debug)]
pub(super) struct Line {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    bell: Arc<Bell>,
}

/// Whom the connection wakes: it knows only one.
#[derive(Debug, Default)]
struct Bell {
    test: AtomicWaker,
    ahead: AtomicWaker,
}

#[derive(Debug)]
pub(super) struct State {
    stream: Option<DuplexStream>,
    /// What has arrived.
    pub(super) inbound: BytesMut,
    /// What leaves with the next flush or read.
    pub(super) outbound: BytesMut,
    pace: Pace,
    holds_back: bool,
    /// Where pings are looked for, if they are answered.
    pings: Option<Pings>,
    /// What was sent may be half a frame, into which no pong may go while nobody looks.
    is_raw: bool,
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
    /// Begins to read ahead.
    pub(super) fn new(stream: DuplexStream, answers_pings: bool) -> Self {
        let state = State {
            stream: Some(stream),
            inbound: BytesMut::new(),
            outbound: BytesMut::new(),
            pace: Pace::Full,
            holds_back: false,
            pings: answers_pings.then(Pings::default),
            is_raw: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            bell: Arc::default(),
        });
        tokio::spawn(Arc::clone(&shared).read_ahead());
        Self { shared }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }

    pub(super) fn set_pace(&self, pace: Pace) {
        self.state().pace = pace;
        self.shared.bell.ahead.wake();
    }

    /// Keeps what is sent, or lets it go again.
    pub(super) fn hold_back(&self, holds_back: bool) {
        self.state().holds_back = holds_back;
    }

    pub(super) fn reads(&self) -> bool {
        !matches!(self.state().pace, Pace::Stopped)
    }

    /// Ends the connection and forgets what was on its way.
    pub(super) fn cut(&self) {
        let mut state = self.state();
        state.stream = None;
        state.outbound.clear();
        drop(state);
        self.shared.bell.ahead.wake();
    }

    /// Sends bytes that may be anything.
    pub(super) fn send_raw(&self, bytes: &[u8]) {
        let mut state = self.state();
        state.is_raw = true;
        state.outbound.extend_from_slice(bytes);
    }

    /// Waits until everything has left, or the server is gone. While sending is held back, there
    /// is nothing to wait for.
    pub(super) async fn flush(&self) {
        let bell = Waker::from(Arc::clone(&self.shared.bell));
        poll_fn(|cx| {
            self.shared.bell.test.register(cx.waker());
            self.state().poll_flush(&mut Context::from_waker(&bell))
        })
        .await;
    }

    /// Looks at what has arrived until something is taken out of it; `None` at the end. What has to
    /// leave does so meanwhile, so that a client that answers a ping and a server that waits for
    /// its reader never wait for each other.
    pub(super) async fn take<T>(&self, mut take: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let bell = Waker::from(Arc::clone(&self.shared.bell));
        poll_fn(|cx| {
            self.shared.bell.test.register(cx.waker());
            let mut state = self.state();
            let mut connection = Context::from_waker(&bell);
            loop {
                let taken = take(&mut state);
                let _ = state.poll_flush(&mut connection);
                if taken.is_some() {
                    self.shared.bell.ahead.wake();
                    return Poll::Ready(taken);
                }
                if !ready!(state.poll_fill(&mut connection)) {
                    return Poll::Ready(None);
                }
            }
        })
        .await
    }
}

impl Shared {
    /// Reads until the connection ends, as far as may be read ahead.
    async fn read_ahead(self: Arc<Self>) {
        let bell = Waker::from(Arc::clone(&self.bell));
        poll_fn(|cx| {
            self.bell.ahead.register(cx.waker());
            let mut connection = Context::from_waker(&bell);
            let mut state = self.lock();
            while state.reads_ahead() {
                let has_arrived = state.poll_fill(&mut connection);
                let _ = state.poll_flush(&mut connection);
                ready!(has_arrived);
            }
            match state.stream {
                Some(_) => Poll::Pending,
                None => Poll::Ready(()),
            }
        })
        .await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A decoder that panics leaves the buffers as they are.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn reads_ahead(&self) -> bool {
        let is_fast = matches!(self.pace, Pace::Full);
        self.stream.is_some() && is_fast && !self.is_raw && self.inbound.len() < AHEAD_BYTES
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
        if let Some(pings) = &mut self.pings {
            let outbound = &mut self.outbound;
            pings.find(chunk.filled(), |payload| {
                encode_client_frame(outbound, OpCode::Pong.whole(), MASK, payload);
            });
        }
        Poll::Ready(true)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.test.wake();
        self.ahead.wake();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.cut();
    }
}
