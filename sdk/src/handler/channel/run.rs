//! A channel on one connection: events in, replies out.

use std::{
    any::Any,
    collections::VecDeque,
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::Poll,
};

use crate::handler::extract::Provided;
use bytestring::ByteString;
use futures::{FutureExt, future::BoxFuture};
use tokio::time::timeout;

use super::{
    call::Call,
    channel::{Channel, Settings},
    envelope::{Answer, CallId, Incoming, Malformed},
    event::{Event, EventErrors},
    peer::ChannelPeer,
};
use crate::{
    handler::{
        codec::wrong_kind,
        event_snapshot::EventSnapshot,
        function::Handler,
        middleware::{Inbound, MessageStack},
        prepared::Prepared,
    },
    message::{CloseCode, CloseFrame, Error, ErrorKind, Message, MessageKind, Result},
    policy::SlowClient,
    request::Context,
    session::Socket,
};

/// How many events wait for those before them; beyond it the peer is held back.
const MAX_WAITING: usize = 64;

/// The same in payload bytes; one event may exceed it.
const MAX_WAITING_BYTES: usize = 256 * 1024;

/// How many events wait while the server waits for a reply, which may be behind them. Those beyond
/// it are refused.
const MAX_WAITING_FOR_REPLY: usize = 4 * MAX_WAITING;

/// An event that runs.
type Running = BoxFuture<'static, Result<()>>;

impl Handler<()> for Channel {
    fn prepare<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Prepared>> {
        let (channel, context) = (self.clone(), context.clone());
        Box::pin(async move {
            let prepared: Prepared =
                Box::new(move |socket| Box::pin(run(channel, context, socket)));
            Ok(prepared)
        })
    }

    /// The route's middleware runs around its events, as its own does.
    fn prepare_inside<'a>(
        &'a self,
        context: &'a Context,
        middleware: &'a MessageStack,
    ) -> BoxFuture<'a, Result<Prepared>> {
        if middleware.is_empty() {
            return self.prepare(context);
        }
        let channel = self.clone().inside(middleware);
        Box::pin(async move { channel.prepare(context).await })
    }

    fn check(&self, provided: &Provided<'_>) -> Result<()> {
        if let Some(mistake) = &self.mistake {
            return Err(Error::config(mistake.clone()));
        }
        if let Some(open) = &self.settings.open {
            open.check(provided)?;
        }
        self.events
            .values()
            .try_for_each(|event| event.function.check(provided))
    }

    fn events(&self) -> Vec<EventSnapshot> {
        let mut events: Vec<_> = self.events.values().map(EventSnapshot::from).collect();
        events.extend(
            self.settings
                .emitted
                .iter()
                .copied()
                .map(EventSnapshot::emitted),
        );
        events.sort_by(|a, b| a.name.cmp(&b.name));
        events
    }
}

struct Connection {
    channel: Channel,
    context: Context,
    peer: ChannelPeer,
    held: Option<Arc<dyn Any + Send + Sync>>,
    waiting: VecDeque<(Call, Option<CallId>)>,
    waiting_bytes: usize,
    running: Vec<Running>,
}

async fn run(channel: Channel, context: Context, mut socket: Socket) -> Result<()> {
    let peer = ChannelPeer::new(socket.sender(), channel.settings.envelope);
    let held = match &channel.settings.open {
        None => None,
        Some(open) => {
            let opening = Call::new(
                ByteString::new(),
                None,
                false,
                context.clone(),
                peer.clone(),
                None,
            );
            Some(open.open(opening).await?)
        }
    };
    let mut connection = Connection {
        channel,
        context,
        peer,
        held,
        waiting: VecDeque::new(),
        waiting_bytes: 0,
        running: Vec::new(),
    };
    let mut is_open = true;
    while is_open || !connection.is_idle() {
        connection.start_waiting();
        tokio::select! {
            biased;
            ended = connection.next_ended(), if !connection.running.is_empty() => ended?,
            // What came behind the last event may be a reply that a running one waits for.
            message = socket.read(), if is_open && connection.wants_input() => match message? {
                Some(message) => connection.take(message).await?,
                None => is_open = false,
            },
        }
        if !is_open && connection.peer.sender().is_closed() {
            // Nobody is there to be answered: what has not begun need not begin.
            connection.waiting.clear();
        }
    }
    Ok(())
}

impl Connection {
    fn settings(&self) -> &Settings {
        &self.channel.settings
    }

    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    fn wants_input(&self) -> bool {
        let has_room = self.waiting.len() < MAX_WAITING && self.waiting_bytes < MAX_WAITING_BYTES;
        has_room || self.peer.asked().is_waiting()
    }

    fn start_waiting(&mut self) {
        while self.running.len() < self.settings().side_by_side {
            let Some((call, id)) = self.waiting.pop_front() else {
                return;
            };
            self.waiting_bytes -= call.held_bytes();
            let serving = serve(self.channel.clone(), call, id);
            self.running.push(Box::pin(serving));
        }
    }

    /// The next of the running events to end.
    ///
    /// Cancel-safe: an event that is not complete goes on at the next call.
    fn next_ended(&mut self) -> impl Future<Output = Result<()>> {
        poll_fn(|cx| {
            for at in 0..self.running.len() {
                if let Poll::Ready(ended) = Pin::new(&mut self.running[at]).poll(cx) {
                    drop(self.running.swap_remove(at));
                    return Poll::Ready(ended);
                }
            }
            Poll::Pending
        })
    }

    async fn take(&mut self, message: Message) -> Result<()> {
        let text = match message {
            Message::Text(text) => text,
            // Routes that ask for control frames see them through `read`.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return Ok(()),
            message => {
                let error = wrong_kind(MessageKind::Text, message.kind());
                return refuse(&self.peer, self.channel.settings.invalid, None, error).await;
            }
        };
        match self.settings().envelope.read(&text) {
            Ok(Incoming::Event { name, data, id }) => self.take_event(name, data, id).await,
            Ok(Incoming::Reply { to, answer }) => self.take_reply(to, answer).await,
            Err(Malformed { error, id }) => {
                refuse(
                    &self.peer,
                    self.channel.settings.invalid,
                    id.as_ref(),
                    error,
                )
                .await
            }
        }
    }

    async fn take_event(
        &mut self,
        name: ByteString,
        data: Option<ByteString>,
        id: Option<CallId>,
    ) -> Result<()> {
        if !self.channel.events.contains_key(&*name) {
            let error = Error::new(
                ErrorKind::NotFound,
                "WHARF_UNKNOWN_EVENT",
                "there is no event of this name here; check its spelling",
            )
            .with_close(CloseFrame::cut(CloseCode::POLICY, "unknown event"));
            return refuse(
                &self.peer,
                self.channel.settings.unknown,
                id.as_ref(),
                error,
            )
            .await;
        }
        if self.waiting.len() >= MAX_WAITING_FOR_REPLY {
            let error = Error::new(
                ErrorKind::Unavailable,
                "WHARF_BUSY",
                "too many events wait for those before them; send fewer at once",
            );
            return refuse(&self.peer, EventErrors::Reply, id.as_ref(), error).await;
        }
        let call = Call::new(
            name,
            data,
            id.is_some(),
            self.context.clone(),
            self.peer.clone(),
            self.held.clone(),
        );
        self.waiting_bytes += call.held_bytes();
        self.waiting.push_back((call, id));
        Ok(())
    }

    async fn take_reply(&mut self, to: u64, answer: Answer) -> Result<()> {
        match self.peer.asked().answer(to, answer) {
            Ok(()) => Ok(()),
            Err(error) => refuse(&self.peer, self.channel.settings.invalid, None, error).await,
        }
    }
}

/// Serves one event, and replies once.
async fn serve(channel: Channel, call: Call, id: Option<CallId>) -> Result<()> {
    let Some(event) = channel.events.get(call.name()) else {
        return Ok(());
    };
    let settings = &channel.settings;
    let error = match guarded(event, settings, &call).await {
        Ok(reply) => {
            return match &id {
                None => Ok(()),
                Some(id) => send(call.peer(), settings.envelope.reply(id, &reply)).await,
            };
        }
        Err(error) => error,
    };
    let policy = match error.kind() {
        ErrorKind::Decode => settings.invalid,
        // Who may not, or not so often, is always told.
        ErrorKind::Forbidden | ErrorKind::Unauthorized | ErrorKind::RateLimited => {
            EventErrors::Reply
        }
        _ => settings.failed,
    };
    let error = error.with_context("event", call.name());
    refuse(call.peer(), policy, id.as_ref(), error).await
}

/// Checks who may send the event and how often, then runs what is around its function, and it.
async fn guarded(event: &Event, settings: &Settings, call: &Call) -> Result<String> {
    admit(event, call)?;
    let sender = call.peer().sender();
    let inbound = Inbound::of_event(call.context(), sender, call.name(), call.data());
    let mut entered = 0;
    let served = AssertUnwindSafe(async {
        settings.middleware.before(&inbound, &mut entered).await?;
        event.function.call(call.clone()).await
    });
    let outcome = match timeout(event.timeout, served.catch_unwind()).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(Error::panicked(panic)),
        Err(_) => Err(Error::new(
            ErrorKind::Timeout,
            "WHARF_EVENT_TIMEOUT",
            "serving the event took too long; try again later",
        )),
    };
    let after = settings
        .middleware
        .after(&inbound, entered, outcome.as_ref().map(|_| ()));
    // What is around it has as long again to hear what came of it.
    let _ = timeout(event.timeout, after).await;
    outcome
}

fn admit(event: &Event, call: &Call) -> Result<()> {
    let principal = call.context().principal();
    let has_scope = |scope: &String| principal.is_some_and(|who| who.has_scope(scope));
    let missing = event.scopes.iter().find(|scope| !has_scope(scope));
    let is_allowed = event.predicate.as_ref().is_none_or(|allows| allows(call));
    if missing.is_some() || !is_allowed {
        let what = missing.map_or_else(
            || "you may not send this event here and now".to_owned(),
            |scope| format!("this event needs the scope {scope}; connect with it"),
        );
        return Err(Error::new(ErrorKind::Forbidden, "WHARF_EVENT_DENIED", what));
    }
    let now = tokio::time::Instant::now().into_std();
    match &event.rate {
        Some(rate) if !rate.take(call, now) => Err(Error::new(
            ErrorKind::RateLimited,
            "WHARF_RATE_LIMITED",
            format!(
                "at most {} of these events are taken a second; send fewer",
                rate.events_per_second()
            ),
        )),
        _ => Ok(()),
    }
}

/// Tells the peer, or not, what was wrong, and the observers in any case.
async fn refuse(
    peer: &ChannelPeer,
    policy: EventErrors,
    id: Option<&CallId>,
    error: Error,
) -> Result<()> {
    if policy == EventErrors::Close {
        // Ends the session with the code of its kind, and tells the observers.
        let frame = match error.close_frame() {
            Some(frame) => frame.clone(),
            None => CloseFrame::cut(error.kind().close_code(), ""),
        };
        return Err(error.with_close(frame));
    }
    let answer =
        (policy == EventErrors::Reply || id.is_some()).then(|| peer.envelope().error(id, &error));
    peer.sender().tell_observers(error);
    match answer {
        Some(answer) => send(peer, answer).await,
        None => Ok(()),
    }
}

/// Sends a reply, which is owed: it is not dropped with the chatter. A peer that has gone needs none.
async fn send(peer: &ChannelPeer, message: Message) -> Result<()> {
    match peer.sender().send_under(SlowClient::Wait, message).await {
        Err(error) if error.kind() == ErrorKind::Closed => Ok(()),
        sent => sent,
    }
}
