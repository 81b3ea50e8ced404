//! TCP connections that a session can take over from actix's dispatcher.
//!
//! actix has deadlines for a connection's first head and for idle keep-alive, and for nothing else.
//! So every connection is bounded here, where all of its bytes pass: as long as it is no socket it
//! has a deadline, whatever the dispatcher waits for. It carries one request; what comes behind
//! that request's head stays in the kernel until somebody wants it, and once the answer has left,
//! the dispatcher is told that it is over.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};
use wharf_sdk::driver::serve::{self, Occupation, Seat};
#[cfg(feature = "tls")]
use wharf_sdk::driver::{is_plain_http, tls_required, tokio_rustls::TlsAcceptor};

use crate::link::Link;

/// How long a request's head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a peer may take nothing of what it is answered.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many bytes of an answer a peer must take to be given a second more.
const BYTES_A_SECOND: usize = 16 * 1024;

/// How much of a head is read in one turn. The dispatcher parses all that is there, and would find
/// thousands of requests of which it is to answer the first.
const TURN_BYTES: usize = 4 * 1024;

/// How long a peer has to end the connection behind its answer, before we do.
const LINGER: Duration = Duration::from_secs(1);

/// A connection as the dispatcher sees it, until a session asks for it.
pub(crate) struct LentStream {
    lender: Rc<Lender>,
}

/// Holds a connection: for the dispatcher first, then for a session.
pub(crate) struct Lender {
    state: RefCell<State>,
}

struct State {
    /// The connection and its seat; `None` once a session has them, or nobody.
    held: Option<(Link, Seat)>,
    stage: Stage,
    /// What the dispatcher wrote has left.
    is_flushed: bool,
    /// A session wants it, and this is woken by the dispatcher's next flush.
    claim: Option<Waker>,
    /// How much has been read in this turn.
    turn_bytes: usize,
    /// The peer takes nothing of what goes on.
    is_stuck: bool,
    deadline: Pin<Box<Sleep>>,
}

/// What a connection that is no socket waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its request's head.
    Head,
    /// The app, which has deadlines of its own.
    App,
    /// More of the app's events, and that the peer takes them.
    Events,
    /// That the peer takes the answer, more of which is to come from the app.
    Answer,
    /// That the peer takes the rest of the answer.
    LastOfAnswer,
    /// That the peer takes the 101, and then the session.
    Switch,
    /// Nothing: a session has it.
    Lent,
    /// Nothing: it took too long, or another needed its place.
    Dropped,
}

impl LentStream {
    pub(crate) fn new(lender: Rc<Lender>) -> Self {
        Self { lender }
    }

    pub(crate) fn lender(&self) -> Rc<Lender> {
        Rc::clone(&self.lender)
    }
}

impl Lender {
    pub(crate) fn new(stream: TcpStream, seat: Seat) -> Self {
        Self {
            state: RefCell::new(State {
                held: Some((Link::Plain(stream), seat)),
                stage: Stage::Head,
                is_flushed: true,
                claim: None,
                turn_bytes: 0,
                is_stuck: false,
                deadline: Box::pin(sleep(HEAD_TIMEOUT)),
            }),
        }
    }

    /// The address at the other end.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        let state = self.state.borrow();
        state.held.as_ref()?.0.tcp()?.peer_addr().ok()
    }

    /// Whether its bytes are encrypted.
    pub(crate) fn is_secure(&self) -> bool {
        let state = self.state.borrow();
        state
            .held
            .as_ref()
            .is_some_and(|(link, _)| link.is_secure())
    }

    /// Lives through the handshake, which has as much time as a head. Fails where nothing is to be
    /// served: plain HTTP has been told so.
    #[cfg(feature = "tls")]
    pub(crate) async fn handshake(&self, acceptor: &TlsAcceptor) -> io::Result<()> {
        if poll_fn(|cx| self.poll_speaks_plain_http(cx)).await? {
            let mut state = self.state.borrow_mut();
            if let Some((Link::Plain(stream), _)) = &mut state.held {
                // Nothing was sent before: there is room for it.
                let _ = stream.try_write(&tls_required());
            }
            return Err(io::Error::other("plain HTTP"));
        }
        {
            let mut state = self.state.borrow_mut();
            let held = state.held.take();
            state.held = held.map(|(link, seat)| (link.begin_handshake(acceptor), seat));
        }
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            state.check(cx)?;
            let (link, _) = state.held.as_mut().ok_or(io::ErrorKind::NotConnected)?;
            link.poll_handshake(cx)
        })
        .await?;
        let mut state = self.state.borrow_mut();
        state.deadline.as_mut().reset(Instant::now() + HEAD_TIMEOUT);
        Ok(())
    }

    #[cfg(feature = "tls")]
    fn poll_speaks_plain_http(&self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut state = self.state.borrow_mut();
        state.check(cx)?;
        let Some((Link::Plain(stream), _)) = &state.held else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let mut first = [0];
        let mut peeked = ReadBuf::new(&mut first);
        ready!(stream.poll_peek(cx, &mut peeked))?;
        Poll::Ready(Ok(is_plain_http(peeked.filled())))
    }

    /// The request's head is there, and the app is at it. False for any but the first: a
    /// connection carries one.
    pub(crate) fn begin(&self) -> bool {
        let mut state = self.state.borrow_mut();
        let is_first = state.stage == Stage::Head;
        if is_first {
            state.stage = Stage::App;
            state.occupy(Occupation::Answering);
        }
        is_first
    }

    /// The app's answer are events, which go on for as long as their session.
    pub(crate) fn stream(&self) {
        let mut state = self.state.borrow_mut();
        if state.stage == Stage::App {
            state.stage = Stage::Events;
            state.occupy(Occupation::Socket);
        }
    }

    /// The app has an answer, which begins to leave.
    pub(crate) fn answer(&self) {
        let mut state = self.state.borrow_mut();
        state.enter(Stage::Answer, Occupation::Waiting);
    }

    /// The dispatcher has taken the whole of the answer.
    pub(crate) fn answered(&self) {
        let mut state = self.state.borrow_mut();
        if state.stage == Stage::Answer {
            state.stage = Stage::LastOfAnswer;
        }
    }

    /// The answer is a 101: once the peer has read it, it has a socket.
    pub(crate) fn switch(&self) {
        let mut state = self.state.borrow_mut();
        state.enter(Stage::Switch, Occupation::Socket);
    }

    /// Wakes `cx` when the dispatcher next flushed: what it has written so far may still be in its
    /// buffer.
    pub(crate) fn claim(&self, cx: &Context<'_>) {
        let mut state = self.state.borrow_mut();
        if state.claim.is_none() {
            state.is_flushed = false;
        }
        state.claim = Some(cx.waker().clone());
    }

    /// Takes the claimed connection, once everything before is flushed.
    pub(crate) fn take(&self) -> Option<(Link, Seat)> {
        let mut state = self.state.borrow_mut();
        if !state.is_flushed {
            return None;
        }
        let held = state.held.take()?;
        state.stage = Stage::Lent;
        Some(held)
    }

    /// Ends the connection at once: another needs its seat.
    pub(crate) fn evict(&self) {
        self.state.borrow_mut().drop_connection();
    }

    /// Ends a connection that the dispatcher is done with: what the peer still sends is discarded
    /// for a while, since closing over unread bytes is a reset, and can cost the peer its answer.
    pub(crate) async fn linger(&self) {
        {
            let mut state = self.state.borrow_mut();
            if state.held.is_none() {
                return;
            }
            let end = Instant::now() + LINGER;
            state.deadline.as_mut().reset(end);
        }
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            let is_late = state.deadline.as_mut().poll(cx).is_ready();
            let Some((stream, _)) = &mut state.held else {
                return Poll::Ready(());
            };
            if is_late {
                if let Some(stream) = stream.tcp() {
                    serve::give_up_later(stream, WRITE_TIMEOUT);
                }
                return Poll::Ready(());
            }
            let _ = Pin::new(&mut *stream).poll_shutdown(cx);
            let mut space = [0; 4096];
            // A turn of it is bounded, however fast the peer is.
            for _ in 0..4 {
                let mut discarded = ReadBuf::new(&mut space);
                match Pin::new(&mut *stream).poll_read(cx, &mut discarded) {
                    Poll::Ready(Ok(())) if !discarded.filled().is_empty() => {}
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        let held = self.state.borrow_mut().held.take();
        drop(held);
    }
}

impl State {
    fn enter(&mut self, stage: Stage, occupation: Occupation) {
        if self.stage != Stage::Dropped {
            self.stage = stage;
            self.deadline.as_mut().reset(Instant::now() + WRITE_TIMEOUT);
            self.occupy(occupation);
        }
    }

    fn occupy(&self, occupation: Occupation) {
        if let Some((_, seat)) = &self.held {
            seat.occupy(occupation);
        }
    }

    /// Fails once the peer took too long.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.stage {
            Stage::App | Stage::Lent => return Ok(()),
            Stage::Events if !self.is_stuck => return Ok(()),
            Stage::Dropped => return Err(io::ErrorKind::ConnectionAborted.into()),
            _ => {}
        }
        if self.deadline.as_mut().poll(cx).is_ready() {
            self.drop_connection();
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// The system need not go on with what the peer does not take.
    fn drop_connection(&mut self) {
        if let Some((link, _)) = self.held.take() {
            link.abort();
            self.stage = Stage::Dropped;
        }
    }

    /// The dispatcher reads until there is nothing more, so that is what it sees behind a turn.
    fn read_head(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = out.remaining().min(TURN_BYTES - self.turn_bytes);
        let Some((stream, _)) = &mut self.held else {
            return Poll::Ready(Ok(()));
        };
        if room == 0 {
            self.turn_bytes = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut piece = ReadBuf::new(out.initialize_unfilled_to(room));
        let read = Pin::new(stream).poll_read(cx, &mut piece);
        let count = piece.filled().len();
        out.advance(count);
        self.turn_bytes += count;
        if read.is_pending() {
            self.turn_bytes = 0;
        }
        read
    }

    /// Has a deadline begin where the peer takes nothing of what goes on.
    fn note_progress(&mut self, is_stuck: bool) {
        if self.stage == Stage::Events && is_stuck && !self.is_stuck {
            self.deadline.as_mut().reset(Instant::now() + WRITE_TIMEOUT);
        }
        self.is_stuck = is_stuck;
    }

    /// Who takes little gets little time.
    fn earn(&mut self, bytes: usize) {
        if matches!(self.stage, Stage::Answer | Stage::LastOfAnswer) {
            let earned = Duration::from_secs(bytes as u64) / BYTES_A_SECOND as u32;
            let deadline = self.deadline.deadline() + earned;
            let latest = Instant::now() + WRITE_TIMEOUT;
            self.deadline.as_mut().reset(deadline.min(latest));
        }
    }
}

impl AsyncRead for LentStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.lender.state.borrow_mut();
        state.check(cx)?;
        match (state.stage, &state.held) {
            (Stage::Head, Some(_)) => state.read_head(cx, out),
            // The dispatcher sees an ended connection.
            (_, None) => Poll::Ready(Ok(())),
            // What comes now is the session's, or nobody's. Whoever goes on wakes the dispatcher.
            (_, Some(_)) => Poll::Pending,
        }
    }
}

impl AsyncWrite for LentStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.lender.state.borrow_mut();
        state.check(cx)?;
        state.is_flushed = false;
        let Some((stream, _)) = &mut state.held else {
            return Poll::Ready(Ok(bytes.len()));
        };
        let written = Pin::new(stream).poll_write(cx, bytes);
        state.note_progress(written.is_pending());
        match written {
            Poll::Ready(Ok(count)) => state.earn(count),
            // Has the deadline wake whoever writes.
            Poll::Pending => state.check(cx)?,
            Poll::Ready(Err(_)) => {}
        }
        written
    }

    /// The dispatcher flushes once it has written all that it has.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.lender.state.borrow_mut();
        state.check(cx)?;
        if let Some((link, _)) = &mut state.held {
            // TCP holds nothing back; TLS does.
            let flushed = Pin::new(link).poll_flush(cx);
            state.note_progress(flushed.is_pending());
            ready!(flushed)?;
        }
        if !state.is_flushed {
            state.is_flushed = true;
            if let Some(claim) = &state.claim {
                claim.wake_by_ref();
            }
        }
        if state.stage == Stage::LastOfAnswer {
            // The dispatcher would now wait for the rest of the request, or go on to the next.
            return Poll::Ready(Err(io::Error::other("the answer has left")));
        }
        Poll::Ready(Ok(()))
    }

    /// Who closes is [`Lender::linger`].
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
