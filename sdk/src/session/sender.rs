//! What can only write.

use std::{
    fmt,
    future::{Future, poll_fn},
    sync::Arc,
    task::Poll,
    time::SystemTime,
};

use crate::{
    message::{
        CloseCode, CloseFrame, CloseOutcome, ConnectionId, Error, Message, Result, SharedMessage,
    },
    policy::{LONGEST, SlowClient},
    session::{
        clock::now,
        engine::{Admission, Delivery},
        gap::Gap,
        info::SessionInfo,
        line::Place,
        shared::{Line, Shared, State},
        writing::Sending,
    },
};
use bytes::Bytes;
use bytestring::ByteString;

/// Writes to one session, from anywhere: a cheap `Clone + Send + Sync + 'static`.
///
/// A sender does not keep its session alive: once that has ended, every method says
/// `WHARF_CLOSED`.
///
/// ```
/// use std::time::Duration;
/// use wharf_sdk::{Result, Socket};
///
/// async fn clock(mut socket: Socket) -> Result<()> {
///     let sender = socket.sender();
///     tokio::spawn(async move {
///         let mut seconds = 0;
///         while sender.send(format!("{seconds} s")).await.is_ok() {
///             tokio::time::sleep(Duration::from_secs(1)).await;
///             seconds += 1;
///         }
///     });
///     while socket.read().await?.is_some() {}
///     Ok(())
/// }
/// # use wharf_sdk::{App, Route, testing::TestHost};
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<()> {
/// # let app = App::builder().route(Route::new("/clock", clock)).build()?;
/// # let mut client = TestHost::new(app).connect("/clock").await;
/// # client.expect_text("0 s").await;
/// # client.expect_text("1 s").await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Sender {
    shared: Arc<Shared>,
}

impl Sender {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Queues a text or binary message under the route's slow-client policy; with the default one
    /// it waits for room, first come first served, and the write deadline ends the wait. A loop
    /// that sends without ever waiting yields now and then, so that what it sent can leave.
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
    pub fn send(&self, message: impl Into<Message>) -> impl Future<Output = Result<()>> + Send {
        Sending::new(&self.shared, message.into(), None)
    }

    /// Queues a text or binary message under this policy instead of the route's.
    ///
    /// The policy also says how a message fares while it waits: under [`SlowClient::DropNewest`] and
    /// [`SlowClient::DropOldest`] it may be dropped later, to make room; under the others it stays,
    /// and makes room for itself by dropping the oldest of those that may be. So on a route that
    /// drops its chatter, acknowledgements arrive:
    ///
    /// ```
    /// use wharf_sdk::{Configure, Result, Route, SlowClient, Socket};
    ///
    /// async fn trade(mut socket: Socket) -> Result<()> {
    ///     let sender = socket.sender();
    ///     while let Some(order) = socket.read().await? {
    ///         sender.send("prices move").await?;
    ///         sender.send_under(SlowClient::Wait, order).await?; // acknowledged, whatever waits
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let route = Route::new("/trade", trade).slow_client(SlowClient::DropOldest);
    /// # let _ = route;
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub fn send_under(
        &self,
        policy: SlowClient,
        message: impl Into<Message>,
    ) -> impl Future<Output = Result<()>> + Send {
        Sending::new(&self.shared, message.into(), Some(policy))
    }

    /// Queues a text or binary message, or says at once that there is no room: where
    /// [`send`](Self::send) would wait, this is `WHARF_BACKPRESSURE`. The policies that drop or
    /// close apply as they do there.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); `WHARF_BACKPRESSURE` instead of waiting.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<()> {
        let policy = match self.shared.limits.slow_client {
            SlowClient::Wait => Some(SlowClient::Error),
            _ => None,
        };
        self.start_send(message.into(), policy).map(drop)
    }

    /// Queues a message that stands for the latest state of `key`: one with the same key that is
    /// still waiting is replaced, and counted as dropped.
    ///
    /// Up to 64 keys have places of their own beside the queue, of as many bytes as the queue's: the
    /// latest value has a place however full it is, and no policy drops it to make room. Only with
    /// more keys or bytes than that does the policy apply.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send).
    pub fn send_latest(
        &self,
        key: impl Into<ByteString>,
        message: impl Into<Message>,
    ) -> Result<()> {
        let sent = self.shared.lock().send_latest(&key.into(), message.into());
        // A refusal may have begun the end.
        self.shared.touch();
        sent
    }

    /// Queues a message that many sockets are sent, or says at once that there is no room; it
    /// keeps its place among what is sent otherwise. Nobody waits for a slow socket among many:
    /// where the route's policy is to wait, the message is dropped for this one and counted in
    /// its [gap](Self::take_gap).
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send); `WHARF_BACKPRESSURE` only under the policies that refuse.
    pub fn try_send_shared(&self, message: &SharedMessage) -> Result<Delivery> {
        let delivery = self.shared.lock().write_shared(message);
        // A refusal may have begun the end.
        self.shared.touch();
        delivery
    }

    /// Queues a ping with this payload, ahead of data.
    ///
    /// # Errors
    ///
    /// `WHARF_PING_TOO_LARGE` over 125 bytes, `WHARF_CLOSED` after the end.
    pub fn ping(&self, payload: impl Into<Bytes>) -> Result<()> {
        self.shared.lock().engine.ping(payload.into())?;
        self.shared.touch();
        Ok(())
    }

    /// Queues a pong that no ping asked for, ahead of data: a sign of life that the peer does not
    /// answer.
    ///
    /// # Errors
    ///
    /// As [`ping`](Self::ping).
    pub fn pong(&self, payload: impl Into<Bytes>) -> Result<()> {
        self.shared.lock().engine.pong(payload.into())?;
        self.shared.touch();
        Ok(())
    }

    /// Begins to close with this code and reason, behind what is queued, and does not wait.
    /// Idempotent.
    ///
    /// # Errors
    ///
    /// `WHARF_CLOSE_CODE` and `WHARF_CLOSE_REASON` for what may not be sent.
    pub fn start_close(
        &self,
        code: impl Into<CloseCode>,
        reason: impl Into<ByteString>,
    ) -> Result<()> {
        let frame = CloseFrame::new(code, reason)?;
        self.shared.lock().engine.close(frame, now());
        self.shared.touch();
        Ok(())
    }

    /// Drops the connection without a close handshake, and what is queued and the handler with it.
    /// The peer sees 1006. Idempotent.
    pub fn terminate(&self) {
        self.shared.lock().engine.handle_kill();
        self.shared.touch();
    }

    /// Lets the session go on until its principal's renewed credential expires; `None` if it does
    /// not. Nothing changes once the end has begun.
    pub fn renew(&self, expires_at: impl Into<Option<SystemTime>>) {
        let expires_at = expires_at.into().map(|at| {
            let left = at.duration_since(SystemTime::now()).unwrap_or_default();
            now() + left.min(LONGEST)
        });
        self.shared.lock().engine.renew(expires_at);
        self.shared.touch();
    }

    /// Waits until everything written has been handed to the operating system, or the session has
    /// ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn flush(&self) {
        self.wait_for(Line::Flush, |state| {
            (state.engine.is_flushed() || state.engine.is_closed()).then_some(())
        })
        .await;
    }

    /// Waits until the end of the session has begun.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn closing(&self) {
        self.wait_for(Line::End, |state| state.engine.is_closing().then_some(()))
            .await;
    }

    /// Waits until the close handshake is over or the connection is gone.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn closed(&self) {
        self.wait_for(Line::End, |state| state.engine.is_closed().then_some(()))
            .await;
    }

    /// Tells the app's observers of something that failed and does not end the session.
    pub(crate) fn tell_observers(&self, error: Error) {
        let refused = self.shared.lock().engine.report(error);
        // Its cause is the application's, and is dropped outside of the lock.
        drop(refused);
        self.shared.touch();
    }

    /// Whether the close handshake is over, or the connection is gone.
    pub fn is_closed(&self) -> bool {
        self.shared.lock().engine.is_closed()
    }

    /// Whether the end of the session has begun.
    pub fn is_closing(&self) -> bool {
        self.shared.lock().engine.is_closing()
    }

    /// Payload bytes that wait to be sent, in the queue and behind it.
    pub fn queued_bytes(&self) -> usize {
        self.shared.lock().engine.queued_bytes()
    }

    /// What was dropped since the last call, if anything was.
    pub fn take_gap(&self) -> Option<Gap> {
        let removed = self.shared.lock().engine.take_gap();
        (removed.messages > 0).then(|| removed.into())
    }

    /// Waits until messages were dropped, and takes the gap; `None` once the session has ended. For
    /// a handler that waits in `read` meanwhile:
    ///
    /// ```
    /// use wharf_sdk::{Configure, Result, Route, SlowClient, Socket};
    ///
    /// async fn feed(mut socket: Socket) -> Result<()> {
    ///     let sender = socket.sender();
    ///     loop {
    ///         tokio::select! {
    ///             Some(gap) = sender.next_gap() => {
    ///                 let news = format!("you missed {}", gap.messages);
    ///                 sender.send_under(SlowClient::Wait, news).await?;
    ///             }
    ///             message = socket.read() => if message?.is_none() { return Ok(()) },
    ///         }
    ///     }
    /// }
    ///
    /// let route = Route::new("/feed", feed).slow_client(SlowClient::DropOldest);
    /// # let _ = route;
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn next_gap(&self) -> Option<Gap> {
        self.wait_for(Line::Gap, |state| match state.engine.has_gap() {
            true => Some(Some(state.engine.take_gap())),
            false => state.engine.is_closed().then_some(None),
        })
        .await
        .map(Gap::from)
    }

    /// Begins the end for the server.
    pub(crate) fn disconnect(&self, frame: CloseFrame) {
        let mut state = self.shared.lock();
        state.engine.handle_server_close(frame, now());
        drop(state);
        self.shared.touch();
    }

    /// How the session ended; before that, how it would if the connection broke now.
    pub(crate) fn outcome(&self) -> CloseOutcome {
        self.shared.lock().engine.outcome()
    }

    /// What is known of the session.
    pub fn info(&self) -> &SessionInfo {
        &self.shared.info
    }

    /// The connection's id.
    pub fn id(&self) -> ConnectionId {
        self.shared.info.id()
    }

    pub(super) fn start_send(
        &self,
        message: Message,
        policy: Option<SlowClient>,
    ) -> Result<Admission> {
        let admission = self.shared.lock().write(message, policy);
        // A refusal may have begun the end.
        self.shared.touch();
        admission
    }

    /// Looks at the state whenever the line is called, until `check` yields.
    async fn wait_for<T>(&self, line: Line, mut check: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut place = Place::new(&self.shared, line);
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            if let Some(found) = check(&mut state) {
                return Poll::Ready(found);
            }
            place.wait(&mut state, cx);
            Poll::Pending
        })
        .await
    }
}

/// Whoever can be written to is a member of a room: a socket, a sender, a channel's peer.
impl AsRef<Self> for Sender {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("info", self.info())
            .finish_non_exhaustive()
    }
}
