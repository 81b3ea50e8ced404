//! Handlers in event style.

use std::{fmt, future::Future, sync::Arc};

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::{
    handler::{
        function::{Handler, HandlerOutput},
        prepared::Prepared,
    },
    message::{CloseOutcome, Error, Message, Result},
    request::Context,
    session::{Sender, Socket},
};

type Callback<S, A> = Arc<dyn Fn(EventPeer<S>, A) -> BoxFuture<'static, Result<()>> + Send + Sync>;

type MakeState<S> = Arc<dyn Fn(Context) -> BoxFuture<'static, Result<S>> + Send + Sync>;

/// A handler made of callbacks, run one after the other for each connection.
///
/// A callback that returns an error ends the session as a failing handler does, after `on_error`
/// was told. `on_close` is told exactly once on every path.
///
/// ```
/// use wharf_sdk::{Events, Route};
///
/// let chat = Events::new()
///     .on_open(|peer, ()| async move { peer.send("welcome").await })
///     .on_message(|peer, message| async move { peer.send(message).await })
///     .on_close(|peer, outcome| async move {
///         println!("{} left with {}", peer.id(), outcome.code);
///     });
/// let route = Route::new("/chat", chat);
/// # let _ = route;
/// ```
pub struct Events<S = ()> {
    state: MakeState<S>,
    open: Option<Callback<S, ()>>,
    message: Option<Callback<S, Message>>,
    ping: Option<Callback<S, Bytes>>,
    pong: Option<Callback<S, Bytes>>,
    drain: Option<Callback<S, ()>>,
    error: Option<Callback<S, Arc<Error>>>,
    close: Option<Callback<S, CloseOutcome>>,
}

/// Whom a callback is about: a [`Sender`], and the connection's state.
pub struct EventPeer<S = ()> {
    sender: Sender,
    state: Arc<S>,
}

impl Events {
    /// A handler without callbacks and without state.
    pub fn new() -> Self {
        Self::with_state(async |_| Ok(()))
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Send + Sync + 'static> Events<S> {
    /// A handler whose connections each have a state, made from the upgrade request, such as
    /// with a query to a database. An error refuses the upgrade.
    pub fn with_state<F, Fut>(state: F) -> Self
    where
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<S>> + Send + 'static,
    {
        Self {
            state: Arc::new(move |context| Box::pin(state(context))),
            open: None,
            message: None,
            ping: None,
            pong: None,
            drain: None,
            error: None,
            close: None,
        }
    }

    /// Is told first.
    #[must_use]
    pub fn on_open<F, Fut>(mut self, callback: F) -> Self
    where
        F: Fn(EventPeer<S>, ()) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutput> + Send + 'static,
    {
        self.open = Some(erase(callback));
        self
    }

    /// Is told of every text and binary message, and of unknown frames.
    #[must_use]
    pub fn on_message<F, Fut>(mut self, callback: F) -> Self
    where
        F: Fn(EventPeer<S>, Message) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutput> + Send + 'static,
    {
        self.message = Some(erase(callback));
        self
    }

    /// Is told of every ping, which is answered already.
    #[must_use]
    pub fn on_ping<F, Fut>(mut self, callback: F) -> Self
    where
        F: Fn(EventPeer<S>, Bytes) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutput> + Send + 'static,
    {
        self.ping = Some(erase(callback));
        self
    }

    /// Is told of every pong, those that answer the heartbeat included.
    #[must_use]
    pub fn on_pong<F, Fut>(mut self, callback: F) -> Self
    where
        F: Fn(EventPeer<S>, Bytes) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutput> + Send + 'static,
    {
        self.pong = Some(erase(callback));
        self
    }

    /// Is told when the server begins to shut down, behind the messages that came before. The
    /// connection is closed once it has ended, or shortly before the shutdown's deadline.
    #[must_use]
    pub fn on_drain<F, Fut>(mut self, callback: F) -> Self
    where
        F: Fn(EventPeer<S>, ()) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutput> + Send + 'static,
    {
        self.drain = Some(erase(callback));
        self
    }

    /// Is told of the error that ends the session: another callback's, or a read's.
    #[must_use]
    pub fn on_error<F, Fut>(mut self, callback: F) -> Self
    where
        F: Fn(EventPeer<S>, Arc<Error>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutput> + Send + 'static,
    {
        self.error = Some(erase(callback));
        self
    }

    /// Is told last, exactly once on every path: once the close handshake is over or the connection
    /// is gone. After an error of another callback it is told before the close is sent, with the
    /// outcome that would be if the connection broke now; after a panic, or if another callback
    /// hangs beyond the handler's grace, by a task of its own.
    #[must_use]
    pub fn on_close<F, Fut>(mut self, callback: F) -> Self
    where
        F: Fn(EventPeer<S>, CloseOutcome) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerOutput> + Send + 'static,
    {
        self.close = Some(erase(callback));
        self
    }

    async fn run(self, mut socket: Socket, state: Arc<S>) -> Result<()> {
        let peer = EventPeer {
            sender: socket.sender(),
            state,
        };
        let mut closing = Closing {
            peer: peer.clone(),
            close: self.close.clone(),
        };
        let mut result = self.serve(&mut socket, &peer).await;
        if let (Err(error), Some(told)) = (&mut result, &self.error) {
            let shared = Arc::new(std::mem::replace(error, Error::closed()));
            // Its own failure would only hide the first one.
            let _ = told(peer, Arc::clone(&shared)).await;
            *error = Arc::into_inner(shared).unwrap_or_else(|| {
                Error::handler("a callback failed, and on_error kept the error")
            });
        }
        if result.is_ok() {
            // A close that a callback began has no outcome yet.
            socket.closed().await;
        }
        if let Some(told) = closing.close.take() {
            told(closing.peer.clone(), closing.peer.sender.outcome()).await?;
        }
        result
    }

    async fn serve(&self, socket: &mut Socket, peer: &EventPeer<S>) -> Result<()> {
        if self.drain.is_some() {
            socket.hear_drains();
        }
        tell(self.open.as_ref(), peer, ()).await?;
        while let Some(message) = socket.read().await? {
            match message {
                Message::Ping(payload) => tell(self.ping.as_ref(), peer, payload).await?,
                Message::Pong(payload) => tell(self.pong.as_ref(), peer, payload).await?,
                Message::Close(_) => {}
                message => tell(self.message.as_ref(), peer, message).await?,
            }
        }
        if socket.is_draining() {
            tell(self.drain.as_ref(), peer, ()).await?;
            socket.end_drain();
        }
        Ok(())
    }
}

impl<S: Send + Sync + 'static> Handler<()> for Events<S> {
    fn prepare<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Prepared>> {
        Box::pin(async move {
            let state = Arc::new((self.state)(context.clone()).await?);
            let events = self.clone();
            let prepared: Prepared = Box::new(move |socket| Box::pin(events.run(socket, state)));
            Ok(prepared)
        })
    }

    fn wants_control_frames(&self) -> bool {
        self.ping.is_some() || self.pong.is_some()
    }
}

/// Tells `on_close` even if the handler does not come that far: a panic, a callback that hangs.
struct Closing<S: Send + Sync + 'static> {
    peer: EventPeer<S>,
    close: Option<Callback<S, CloseOutcome>>,
}

impl<S: Send + Sync + 'static> Drop for Closing<S> {
    fn drop(&mut self) {
        if let (Some(told), Ok(runtime)) =
            (self.close.take(), tokio::runtime::Handle::try_current())
        {
            let peer = self.peer.clone();
            // Called by the task and not here: this may run while a panic unwinds, and a second
            // one would end the process.
            runtime.spawn(async move {
                peer.sender.closed().await;
                let outcome = peer.sender.outcome();
                told(peer, outcome).await
            });
        }
    }
}

impl<S> EventPeer<S> {
    /// The connection's state.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// The sender.
    pub fn sender(&self) -> &Sender {
        &self.sender
    }
}

/// A peer is written to like its sender.
impl<S> std::ops::Deref for EventPeer<S> {
    type Target = Sender;

    fn deref(&self) -> &Sender {
        &self.sender
    }
}

impl<S> Clone for EventPeer<S> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            state: Arc::clone(&self.state),
        }
    }
}

impl<S> fmt::Debug for EventPeer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventPeer").field(&self.sender).finish()
    }
}

impl<S> Clone for Events<S> {
    fn clone(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
            open: self.open.clone(),
            message: self.message.clone(),
            ping: self.ping.clone(),
            pong: self.pong.clone(),
            drain: self.drain.clone(),
            error: self.error.clone(),
            close: self.close.clone(),
        }
    }
}

impl<S> fmt::Debug for Events<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

fn erase<S: 'static, A: 'static, F, Fut>(callback: F) -> Callback<S, A>
where
    F: Fn(EventPeer<S>, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: HandlerOutput> + Send + 'static,
{
    Arc::new(move |peer, argument| {
        let future = callback(peer, argument);
        Box::pin(async move { future.await.into_result() })
    })
}

async fn tell<S, A>(
    callback: Option<&Callback<S, A>>,
    peer: &EventPeer<S>,
    argument: A,
) -> Result<()> {
    match callback {
        Some(callback) => callback(peer.clone(), argument).await,
        None => Ok(()),
    }
}
