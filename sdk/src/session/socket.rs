//! What a handler holds.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use bytestring::ByteString;
use futures::{Sink, Stream, stream};
use tokio::task::coop::poll_proceed;

use crate::{
    message::{CloseCode, CloseOutcome, ConnectionId, Error, ErrorKind, Message, Result},
    policy::Limits,
    session::{
        around::{Around, Gate},
        clock::now,
        engine::{Admission, Engine},
        gap::Gap,
        info::SessionInfo,
        line,
        sender::Sender,
        shared::{Line, NativeRequest, Reader, Shared},
        turn,
        waiters::Ticket,
        writing::Unsent,
    },
    wire::NativeSocket,
};

/// A handler's socket: reads, and writes through a [`Sender`] of its own.
///
/// It is `Send + 'static` on every driver, and its methods box nothing. Dropping it does not close
/// the session as long as the handler runs; inbound data is discarded from then on, while senders
/// go on. A client's socket that was connected without a handler closes with 1001 when it is
/// dropped.
///
/// ```
/// use wharf_sdk::{Result, Socket};
///
/// async fn echo(mut socket: Socket) -> Result<()> {
///     loop {
///         tokio::select! {
///             // Loses nothing when the other branch wins.
///             message = socket.read() => match message? {
///                 Some(message) => socket.write(message).await?,
///                 None => return Ok(()), // the session has ended
///             },
///             () = tokio::time::sleep(std::time::Duration::from_secs(60)) => {
///                 return socket.close(4000, "you say nothing").await;
///             }
///         }
///     }
/// }
/// # use wharf_sdk::{App, Route, testing::TestHost};
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<()> {
/// # let app = App::builder().route(Route::new("/echo", echo)).build()?;
/// # let mut client = TestHost::new(app).connect("/echo").await;
/// # client.send_text("hi").await;
/// # client.expect_text("hi").await;
/// # client.expect_silence(std::time::Duration::from_secs(59)).await;
/// # client.expect_close(4000).await;
/// # Ok(())
/// # }
/// ```
pub struct Socket {
    sender: Sender,
    /// Made by whoever is the first to need it.
    extra: Option<Box<Extra>>,
}

/// What most sockets do without.
#[derive(Default)]
struct Extra {
    /// Never locked: the mutex only makes the socket `Sync`.
    native: Mutex<Option<Box<dyn NativeSocket>>>,
    /// Taken by the `Sink`, and waiting for room.
    outgoing: Unsent,
    /// Where the `Sink` waits to be flushed or closed, if it does.
    waits_in: Option<(Line, Ticket)>,
    /// What messages pass on their way to `read`, where something runs around them. Never locked,
    /// as `native` is not.
    gate: Option<Mutex<Gate>>,
}

impl Socket {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            sender: Sender::new(shared),
            extra: None,
        }
    }

    /// Runs this around every message that is read from here on.
    pub(crate) fn read_through(&mut self, around: Arc<dyn Around>) {
        let extra = self.extra.get_or_insert_default();
        extra.gate = Some(Mutex::new(Gate::new(around)));
    }

    pub(crate) fn shared_limits(&self) -> &Arc<Limits> {
        &self.shared().limits
    }

    /// The next message; `None` once the session ends.
    ///
    /// # Errors
    ///
    /// `WHARF_RATE_LIMITED` in place of a message, on routes that ask for it.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a message is either returned or stays queued, so `select!` loses none.
    pub async fn read(&mut self) -> Result<Option<Message>> {
        poll_fn(|cx| self.poll_read(cx)).await
    }

    /// Polls for the next message; see [`read`](Self::read).
    #[inline]
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>>> {
        let gate = self.extra.as_mut().and_then(|extra| extra.gate.as_mut());
        let Some(gate) = gate else {
            return Self::poll_message(&self.sender, true, cx);
        };
        let gate = gate.get_mut().unwrap_or_else(PoisonError::into_inner);
        gate.poll_read(cx, |cx| Self::poll_message(&self.sender, true, cx))
    }

    /// Reads while what was read before is not through, for which a shutdown waits.
    ///
    /// # Cancel safety
    ///
    /// As [`read`](Self::read).
    pub(crate) async fn read_at_work(&mut self) -> Result<Option<Message>> {
        poll_fn(|cx| Self::poll_message(&self.sender, false, cx)).await
    }

    /// From here on `read` ends when the server shuts down, and the close waits until the handler
    /// has ended or calls [`end_drain`](Self::end_drain).
    pub(crate) fn hear_drains(&self) {
        self.shared().lock().engine.hear_drains();
    }

    /// Whether a shutdown waits for this handler.
    pub(crate) fn is_draining(&self) -> bool {
        self.shared().lock().engine.is_draining()
    }

    /// What was to be said is said: the shutdown waits no more.
    pub(crate) fn end_drain(&self) {
        self.shared().lock().engine.handle_waiting_reader(now);
        self.shared().touch();
    }

    /// The next message as it came, for a handler that may be through with those before it.
    #[inline]
    fn poll_message(
        sender: &Sender,
        is_through: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>>> {
        match turn::read(sender.shared()) {
            Some(item) => Poll::Ready(item.map(Some)),
            None => Self::poll_engine(sender.shared(), is_through, cx),
        }
    }

    /// The same, where none was brought along.
    fn poll_engine(
        shared: &Arc<Shared>,
        is_through: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>>> {
        let mut state = shared.lock();
        if let Some(item) = turn::read_along(shared, || state.engine.read_all()) {
            return Poll::Ready(item.map(Some));
        }
        let was_held = state.engine.is_input_held();
        if let Some(item) = state.engine.read() {
            let resumes = was_held && state.engine.wants_input();
            drop(state);
            if resumes {
                // Read from another task, the session does not know that there is room again.
                shared.touch();
            }
            return Poll::Ready(item.transpose());
        }
        let held_large = state.engine.await_read();
        if (is_through && state.engine.handle_waiting_reader(now)) || held_large {
            // It has finished what a shutdown waited for, or what a large message waits for.
            shared.touch();
        }
        state.await_message(shared, cx.waker());
        Poll::Pending
    }

    /// Queues a text or binary message, waiting for room if the route's policy says so. It leaves
    /// at the latest when the handler yields, which a loop that only writes does now and then.
    ///
    /// # Errors
    ///
    /// `WHARF_CONTROL_WRITE` for other kinds, `WHARF_OUTBOUND_TOO_LARGE` (which also closes with
    /// 1009), `WHARF_BACKPRESSURE` under the policies that refuse, `WHARF_CLOSED` after the end.
    ///
    /// # Cancel safety
    ///
    /// Atomic: the message is queued whole or, if the future is dropped before it completes, not
    /// at all.
    pub fn write(
        &mut self,
        message: impl Into<Message>,
    ) -> impl Future<Output = Result<()>> + Send {
        Writing::new(self, message.into())
    }

    /// Queues a ping with this payload, ahead of data. The answer feeds nothing; the heartbeat
    /// sends its own.
    ///
    /// # Errors
    ///
    /// `WHARF_PING_TOO_LARGE` over 125 bytes, `WHARF_CLOSED` after the end.
    pub fn ping(&mut self, payload: impl Into<Bytes>) -> Result<()> {
        self.sender.ping(payload)
    }

    /// Lets the session go on until its principal's renewed credential expires; `None` if it does
    /// not.
    pub fn renew(&mut self, expires_at: impl Into<Option<SystemTime>>) {
        self.sender.renew(expires_at);
    }

    /// Flushes what is queued, closes with this code and reason, and waits until the peer has
    /// answered or the close timeout has passed. Idempotent.
    ///
    /// # Errors
    ///
    /// `WHARF_CLOSE_CODE` and `WHARF_CLOSE_REASON` for what may not be sent; the socket stays
    /// usable.
    ///
    /// # Cancel safety
    ///
    /// The close is begun at the first poll and goes on if the future is dropped.
    pub async fn close(
        &mut self,
        code: impl Into<CloseCode>,
        reason: impl Into<ByteString>,
    ) -> Result<()> {
        self.sender.start_close(code, reason)?;
        self.closed().await;
        Ok(())
    }

    /// Waits until everything written has been handed to the operating system, or the session has
    /// ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn flush(&mut self) {
        // It fails only where the session has ended, and then there is nothing to wait for.
        let _ = poll_fn(|cx| self.poll_outgoing(cx)).await;
        self.sender.flush().await;
    }

    /// Waits until the end of the session has begun: the peer closed or vanished, the server is
    /// shutting down, a timer or a limit ended it. Abandon work then.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn closing(&self) {
        self.sender.closing().await;
    }

    /// Waits until the close handshake is over or the connection is gone.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn closed(&self) {
        self.sender.closed().await;
    }

    /// The framework's own socket.
    ///
    /// # Errors
    ///
    /// `WHARF_NO_NATIVE` where the driver has none.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn native(&mut self) -> Result<&mut dyn NativeSocket> {
        if self.made_native().is_none() {
            let native = poll_fn(|cx| self.poll_make_native(cx)).await?;
            self.extra().native = Mutex::new(Some(native));
        }
        match self.made_native() {
            Some(native) => Ok(native),
            None => Err(no_native("this driver has no native socket")),
        }
    }

    /// The part of the framework's own socket that is a `T`, such as
    /// `axum::extract::ws::WebSocket` or `actix_ws::Session`.
    ///
    /// # Errors
    ///
    /// `WHARF_NO_NATIVE` where the driver has none or it is something else.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn native_as<T: 'static>(&mut self) -> Result<&mut T> {
        let native = self.native().await?;
        let name = native.type_name();
        native
            .part(std::any::TypeId::of::<T>())
            .and_then(|part| part.downcast_mut())
            .ok_or_else(|| {
                no_native("the native socket of this driver is another type")
                    .with_context("native", name)
            })
    }

    /// A sender: a cheap clone that can only write.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Splits into a stream of messages and a sender. The stream ends with the session.
    ///
    /// ```
    /// use futures::{StreamExt, TryStreamExt};
    /// use wharf_sdk::{Result, Socket};
    ///
    /// async fn echo(socket: Socket) -> Result<()> {
    ///     let (reader, sender) = socket.split();
    ///     reader.try_for_each(|message| sender.send(message)).await
    /// }
    /// # wharf_sdk::Route::new("/", echo);
    /// ```
    ///
    /// # Cancel safety
    ///
    /// `next` of the stream is cancel-safe, as [`read`](Self::read) is.
    pub fn split(self) -> (impl Stream<Item = Result<Message>> + Send + Unpin, Sender) {
        let sender = self.sender();
        let reader = Box::pin(stream::unfold(self, async |mut socket| {
            let item = socket.read().await.transpose()?;
            Some((item, socket))
        }));
        (reader, sender)
    }

    /// The selected subprotocol.
    pub fn subprotocol(&self) -> Option<&str> {
        self.info().subprotocol()
    }

    /// What is known of the session.
    pub fn info(&self) -> &SessionInfo {
        &self.shared().info
    }

    /// Every limit of the route.
    pub fn limits(&self) -> &Limits {
        &self.shared().limits
    }

    /// The connection's id.
    pub fn id(&self) -> ConnectionId {
        self.info().id()
    }

    /// The time between the last heartbeat ping and its pong.
    pub fn round_trip(&self) -> Option<Duration> {
        self.shared().lock().engine.round_trip()
    }

    /// What was dropped since the last call, if anything was.
    pub fn take_gap(&mut self) -> Option<Gap> {
        self.sender.take_gap()
    }

    /// How the session ended, once the close handshake is over or the connection is gone.
    pub fn outcome(&self) -> Option<CloseOutcome> {
        let state = self.shared().lock();
        state.engine.is_closed().then(|| state.engine.outcome())
    }

    fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// The framework's socket, if it has been asked for.
    fn made_native(&mut self) -> Option<&mut dyn NativeSocket> {
        let native = &mut self.extra.as_mut()?.native;
        let native = native.get_mut().unwrap_or_else(PoisonError::into_inner);
        native.as_deref_mut()
    }

    fn shared(&self) -> &Arc<Shared> {
        self.sender.shared()
    }

    /// Lets what was written before leave before what is written next.
    #[inline]
    fn poll_before_write(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        match self.extra {
            Some(_) => self.poll_extra(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_extra(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        if let Some(native) = self.made_native() {
            native.sync();
        }
        self.poll_outgoing(cx)
    }

    /// Queues what the sink has taken.
    fn poll_outgoing(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        match &mut self.extra {
            Some(extra) => extra.outgoing.poll(self.sender.shared(), None, cx),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Waits in a line until the engine is ready.
    fn poll_until(
        &mut self,
        cx: &Context<'_>,
        line: Line,
        is_ready: impl Fn(&Engine) -> bool,
    ) -> Poll<()> {
        let mut ticket = self.take_place(line);
        let shared = Arc::clone(self.shared());
        let mut state = shared.lock();
        if is_ready(&state.engine) {
            if let Some(ticket) = ticket {
                state.line(line).leave(ticket);
            }
            return Poll::Ready(());
        }
        line::wait(&mut state, line, &mut ticket, cx);
        drop(state);
        self.extra().waits_in = ticket.map(|ticket| (line, ticket));
        Poll::Pending
    }

    /// The place where the sink waits, if it is in this line; one in another it gives up.
    fn take_place(&mut self, line: Line) -> Option<Ticket> {
        match self.extra.as_mut()?.waits_in.take() {
            Some((held, ticket)) if held == line => Some(ticket),
            Some((held, ticket)) => {
                line::give_up(self.shared(), held, ticket);
                None
            }
            None => None,
        }
    }

    fn poll_make_native(&self, cx: &mut Context<'_>) -> Poll<Result<Box<dyn NativeSocket>>> {
        let mut state = self.shared().lock();
        match state.take_native() {
            NativeRequest::Made(made) => return Poll::Ready(made),
            NativeRequest::None | NativeRequest::Wanted(_) if state.engine.is_closed() => {
                return Poll::Ready(Err(Error::closed()));
            }
            _ => state.set_native(NativeRequest::Wanted(Some(cx.waker().clone()))),
        }
        drop(state);
        self.shared().touch();
        Poll::Pending
    }
}

/// What [`Socket::write`] does.
#[derive(Debug)]
struct Writing<'a> {
    socket: &'a mut Socket,
    unsent: Unsent,
}

impl<'a> Writing<'a> {
    #[inline]
    fn new(socket: &'a mut Socket, message: Message) -> Self {
        let unsent = Unsent::new(message);
        Self { socket, unsent }
    }
}

impl Future for Writing<'_> {
    type Output = Result<()>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        if !this.unsent.is_waiting() {
            ready!(poll_proceed(cx)).made_progress();
            ready!(this.socket.poll_before_write(cx))?;
        }
        this.unsent.poll(this.socket.shared(), None, cx)
    }
}

impl Drop for Writing<'_> {
    #[inline]
    fn drop(&mut self) {
        self.unsent.give_up(self.socket.shared());
    }
}

impl AsRef<Sender> for Socket {
    fn as_ref(&self) -> &Sender {
        &self.sender
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(native) = self.made_native() {
            // What was written through it leaves before the close of a handler that returns.
            native.sync();
        }
        if let Some(extra) = &mut self.extra {
            extra.outgoing.give_up(self.sender.shared());
            if let Some((line, ticket)) = extra.waits_in.take() {
                line::give_up(self.sender.shared(), line, ticket);
            }
        }
        let mut state = self.shared().lock();
        state.engine.leave(now);
        state.reader = Reader::None;
        drop(state);
        self.shared().touch();
    }
}

/// Yields what `read` yields.
///
/// # Cancel safety
///
/// `next` is cancel-safe, as [`read`](Socket::read) is.
impl Stream for Socket {
    type Item = Result<Message>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_read(cx).map(Result::transpose)
    }
}

/// Queues what it is given, waiting for room under the route's policy. Flushed is what has been
/// handed to the operating system; closing closes with 1000.
///
/// # Cancel safety
///
/// A `feed` that is dropped took nothing. A `send` that is dropped may have taken its message and
/// only not flushed it. What was taken leaves in order, before what is written later; it may be
/// lost if nothing is written or flushed any more. Flushing and closing can be dropped and begun
/// again.
impl Sink<Message> for Socket {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // Whoever only feeds yields now and then, as writers do.
        let budget = ready!(poll_proceed(cx));
        ready!(self.get_mut().poll_outgoing(cx))?;
        budget.made_progress();
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<()> {
        let this = self.get_mut();
        if let Admission::Wait(message) = this.sender.start_send(message, None)? {
            this.extra().outgoing.put(message);
        }
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_outgoing(cx))?;
        let is_flushed = |engine: &Engine| engine.is_flushed() || engine.is_closed();
        this.poll_until(cx, Line::Flush, is_flushed).map(Ok)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_outgoing(cx))?;
        this.sender.start_close(CloseCode::NORMAL, "")?;
        this.poll_until(cx, Line::End, Engine::is_closed).map(Ok)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("info", self.info())
            .finish_non_exhaustive()
    }
}

fn no_native(message: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, "WHARF_NO_NATIVE", message)
}
