//! Code around every message and every event.

use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use futures::{FutureExt, future::BoxFuture};

use crate::{
    handler::{codec, prepared::Prepared},
    message::{CloseFrame, Error, Message, MessageKind, Phase, Result},
    policy::{DecodeErrors, Limits, SlowClient},
    request::Context,
    session::{Around, Sender},
};

/// Runs around every message that a handler reads, and around every event of a
/// [`Channel`](crate::Channel). First added is outermost, an app's before a group's before a
/// route's: its `before` runs first, its `after` last.
///
/// ```
/// use wharf_sdk::{
///     App, Error, ErrorKind, Inbound, MessageMiddleware, Result, Route, Socket, async_trait,
///     testing::TestHost,
/// };
///
/// struct Curfew;
///
/// #[async_trait]
/// impl MessageMiddleware for Curfew {
///     async fn before(&self, inbound: &Inbound<'_>) -> Result<()> {
///         match inbound.text() {
///             Some("shout") => Err(Error::new(ErrorKind::Forbidden, "CURFEW", "be quiet")),
///             _ => Ok(()),
///         }
///     }
/// }
///
/// async fn echo(mut socket: Socket) -> Result<()> {
///     while let Some(message) = socket.read().await? {
///         socket.write(message).await?;
///     }
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let app = App::builder().message_middleware(Curfew).route(Route::new("/echo", echo));
/// # let host = TestHost::new(app.build()?);
/// let mut client = host.connect("/echo").await;
/// client.send_text("whisper").await;
/// client.expect_text("whisper").await;
/// client.send_text("shout").await;
/// client.expect_close(1008).await;
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait MessageMiddleware: Send + Sync + 'static {
    /// Before the handler gets the message, or the event's function runs: behind the event's scopes
    /// and rates.
    ///
    /// # Errors
    ///
    /// What refuses it; neither does the `after` of this middleware run then, nor of those further
    /// in. The peer of an event is told as its channel's policies say. In place of a message, the
    /// handler's read returns the error, unless the route's [`DecodeErrors`] say that the peer is
    /// answered or the session closed.
    async fn before(&self, inbound: &Inbound<'_>) -> Result<()> {
        let _ = inbound;
        Ok(())
    }

    /// Behind it, with what came of it. A handler is through with a message when it asks for the
    /// next one, or ends: an error or a panic of its own is what came of the last.
    async fn after(&self, inbound: &Inbound<'_>, outcome: Result<(), &Error>) {
        let _ = (inbound, outcome);
    }

    /// What descriptions of the app call it: its type, unless it says otherwise.
    fn name(&self) -> &str {
        let path = std::any::type_name::<Self>();
        let path = path.split('<').next().unwrap_or(path);
        path.rsplit("::").next().unwrap_or(path)
    }
}

/// What came from the peer, as middleware sees it: a message, or an event of a channel.
#[derive(Debug, Clone, Copy)]
pub struct Inbound<'a> {
    context: &'a Context,
    sender: &'a Sender,
    what: What<'a>,
}

#[derive(Debug, Clone, Copy)]
enum What<'a> {
    Message(&'a Message),
    Event {
        name: &'a str,
        data: Option<&'a str>,
    },
}

impl<'a> Inbound<'a> {
    pub(super) fn message(context: &'a Context, sender: &'a Sender, message: &'a Message) -> Self {
        Self {
            context,
            sender,
            what: What::Message(message),
        }
    }

    pub(super) fn of_event(
        context: &'a Context,
        sender: &'a Sender,
        name: &'a str,
        data: Option<&'a str>,
    ) -> Self {
        Self {
            context,
            sender,
            what: What::Event { name, data },
        }
    }

    /// The event's name; `None` for a message of a handler that is no channel.
    pub fn event(&self) -> Option<&'a str> {
        match self.what {
            What::Event { name, .. } => Some(name),
            What::Message(_) => None,
        }
    }

    /// An event's payload, as JSON, or the text of a text message.
    pub fn text(&self) -> Option<&'a str> {
        match self.what {
            What::Event { data, .. } => data,
            What::Message(message) => message.as_text(),
        }
    }

    /// The payload's bytes.
    pub fn bytes(&self) -> &'a [u8] {
        match self.what {
            What::Event { data, .. } => data.unwrap_or_default().as_bytes(),
            What::Message(Message::Binary(bytes)) => bytes,
            What::Message(message) => message.as_text().unwrap_or_default().as_bytes(),
        }
    }

    /// The kind of the message that it came in: events are text.
    pub fn kind(&self) -> MessageKind {
        match self.what {
            What::Event { .. } => MessageKind::Text,
            What::Message(message) => message.kind(),
        }
    }

    /// The upgrade request of the connection, and what middleware learned from it.
    pub fn context(&self) -> &'a Context {
        self.context
    }

    /// Writes to the session that it came from.
    pub fn sender(&self) -> &'a Sender {
        self.sender
    }
}

/// Message middleware, the outermost first.
#[derive(Clone, Default)]
#[allow(unnameable_types, reason = "nobody needs to")]
pub struct MessageStack(Vec<Arc<dyn MessageMiddleware>>);

impl MessageStack {
    pub(crate) fn push(&mut self, middleware: impl MessageMiddleware) {
        self.0.push(Arc::new(middleware));
    }

    /// This one, with another inside it.
    pub(crate) fn with_inside(&self, inner: Self) -> Self {
        let mut stack = self.clone();
        stack.0.extend(inner.0);
        stack
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they are called.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.0.iter().map(|middleware| middleware.name());
        names.map(str::to_owned).collect()
    }

    /// Runs every `before` until one refuses; `entered` counts those that did not.
    pub(super) async fn before(&self, inbound: &Inbound<'_>, entered: &mut usize) -> Result<()> {
        for middleware in &self.0 {
            let before = AssertUnwindSafe(async { middleware.before(inbound).await });
            let admitted = before.catch_unwind().await;
            admitted.unwrap_or_else(|panic| Err(Error::panicked(panic)))?;
            *entered += 1;
        }
        Ok(())
    }

    /// Runs the `after` of those that were entered. One that panics keeps no other from its own.
    pub(super) async fn after(
        &self,
        inbound: &Inbound<'_>,
        entered: usize,
        outcome: Result<(), &Error>,
    ) {
        for middleware in self.0[..entered].iter().rev() {
            let after = AssertUnwindSafe(async { middleware.after(inbound, outcome).await });
            if let Err(panic) = after.catch_unwind().await {
                let panic = Error::panicked(panic).in_phase(Phase::Middleware);
                inbound.sender().tell_observers(panic);
            }
        }
    }

    /// Runs it around every message that the handler reads.
    pub(super) fn around(&self, context: &Context, prepared: Prepared) -> Prepared {
        let (stack, context) = (self.clone(), context.clone());
        Box::new(move |mut socket| {
            let around = Arc::new(AroundMessages {
                stack,
                context,
                sender: socket.sender(),
                limits: Arc::clone(socket.shared_limits()),
                at_hand: Mutex::default(),
            });
            socket.read_through(Arc::clone(&around) as _);
            let handler = AssertUnwindSafe(prepared(socket)).catch_unwind();
            Box::pin(async move {
                let ended = handler.await;
                let ended = ended.unwrap_or_else(|panic| Err(Error::panicked(panic)));
                around.settle(ended.as_ref().map(|_| ())).await;
                ended
            })
        })
    }
}

impl fmt::Debug for MessageStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MessageStack").field(&self.0.len()).finish()
    }
}

/// Message middleware around the reads of one socket.
struct AroundMessages {
    stack: MessageStack,
    context: Context,
    sender: Sender,
    limits: Arc<Limits>,
    /// What the handler is at, which all have let pass.
    at_hand: Mutex<Option<Message>>,
}

impl AroundMessages {
    /// The handler is through with what it was at, if it was at something.
    async fn settle(&self, outcome: Result<(), &Error>) {
        let settled = self.at_hand().take();
        if let Some(message) = settled {
            let inbound = Inbound::message(&self.context, &self.sender, &message);
            self.stack
                .after(&inbound, self.stack.0.len(), outcome)
                .await;
        }
    }

    async fn admit(&self, message: Message) -> Result<Option<Message>> {
        let inbound = Inbound::message(&self.context, &self.sender, &message);
        let mut entered = 0;
        let refusal = match self.stack.before(&inbound, &mut entered).await {
            Ok(()) => {
                *self.at_hand() = Some(message.clone());
                return Ok(Some(message));
            }
            Err(refusal) => refusal,
        };
        let code = refusal.kind().close_code();
        let own = refusal.close_frame().cloned();
        let frame = own.unwrap_or_else(|| CloseFrame::cut(code, ""));
        // A handler that passes it on ends with the code of its kind.
        let refusal = refusal.with_close(frame.clone());
        self.stack.after(&inbound, entered, Err(&refusal)).await;
        match self.limits.decode_errors {
            DecodeErrors::Answer => {
                let own = self.limits.decode_answer.as_ref();
                let answer =
                    own.map_or_else(|| codec::answer(&refusal), |own| own.of(&refusal, &message));
                self.sender.tell_observers(refusal);
                self.sender.send_under(SlowClient::Wait, answer).await?;
                Ok(None)
            }
            DecodeErrors::Return => Err(refusal),
            DecodeErrors::Close => {
                self.sender
                    .start_close(frame.code(), frame.reason().clone())?;
                Err(refusal)
            }
        }
    }

    fn at_hand(&self) -> std::sync::MutexGuard<'_, Option<Message>> {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Around for AroundMessages {
    fn before(self: Arc<Self>, message: Message) -> BoxFuture<'static, Result<Option<Message>>> {
        Box::pin(async move { self.admit(message).await })
    }

    fn after(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.settle(Ok(())).await })
    }
}
