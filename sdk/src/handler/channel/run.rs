//! A channel on one connection: events in, replies out.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::Poll,
};

use futures::future::BoxFuture;

use super::{
    call::{Call, Connection},
    channel::Channel,
    envelope::{CallId, Incoming, Malformed, place},
    peer::ChannelPeer,
    policies::EventErrors,
    serve::refuse,
};
use crate::{
    handler::{
        codec::wrong_kind, event_snapshot::EventSnapshot, extract::Provided, function::Handler,
        middleware::MessageStack, prepared::Prepared,
    },
    message::{CloseCode, CloseFrame, Error, ErrorKind, Message, MessageKind, Result},
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
type Serving = BoxFuture<'static, Result<()>>;

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
        if let Some(drain) = &self.settings.drain {
            drain.check(provided)?;
        }
        self.events
            .values()
            .try_for_each(|event| event.function.check(provided))
    }

    fn events(&self) -> Vec<EventSnapshot> {
        let around = self.policies.middleware.names();
        let served = self.events.values();
        let mut events: Vec<_> = served.map(|event| event.snapshot(around.clone())).collect();
        events.extend(self.settings.emitted.iter().cloned());
        #[cfg(feature = "asyncapi")]
        for event in &mut events {
            event.manners = self.manners();
        }
        events.sort_by(|a, b| a.name.cmp(&b.name));
        events
    }
}

/// A channel on one connection, and what of it is not done.
struct Running {
    channel: Channel,
    connection: Arc<Connection>,
    waiting: VecDeque<Call>,
    waiting_bytes: usize,
    running: Vec<Serving>,
}

async fn run(channel: Channel, context: Context, mut socket: Socket) -> Result<()> {
    let connection = Connection {
        policies: Arc::clone(&channel.policies),
        context,
        peer: ChannelPeer::new(socket.sender(), channel.policies.envelope),
        held: None,
    };
    let mut connection = Arc::new(connection);
    if channel.settings.drain.is_some() {
        socket.hear_drains();
    }
    if let Some(open) = &channel.settings.open {
        let held = open.open(Call::of_connection(&connection)).await?;
        connection = Arc::new(connection.holding(held));
    }
    let mut channel = Running {
        channel,
        connection,
        waiting: VecDeque::new(),
        waiting_bytes: 0,
        running: Vec::new(),
    };
    let mut is_open = true;
    loop {
        let message = if channel.is_idle() {
            if !is_open {
                return Ok(());
            }
            socket.read().await?
        } else {
            tokio::select! {
                biased;
                ended = channel.next_ended() => {
                    ended?;
                    if !is_open && channel.peer().sender().is_closed() {
                        // Nobody is there to be answered: what has not begun need not begin.
                        channel.waiting.clear();
                    }
                    channel.begin_waiting().await?;
                    continue;
                }
                // What came behind the last event may be a reply that a running one waits for.
                message = socket.read_at_work(), if is_open && channel.wants_input() => message?,
            }
        };
        match message {
            Some(message) => channel.take(message).await?,
            None => {
                is_open = false;
                if let Some(drain) = &channel.channel.settings.drain
                    && socket.is_draining()
                {
                    let parting = Call::of_connection(&channel.connection);
                    channel.running.push(drain.part(parting));
                }
            }
        }
    }
}

impl Running {
    fn peer(&self) -> &ChannelPeer {
        &self.connection.peer
    }

    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    fn wants_input(&self) -> bool {
        let has_room = self.waiting.len() < MAX_WAITING && self.waiting_bytes < MAX_WAITING_BYTES;
        has_room || self.peer().asked().is_waiting()
    }

    fn may_begin(&self) -> bool {
        self.running.len() < self.channel.settings.side_by_side
    }

    /// Begins what waits, as far as it may begin.
    async fn begin_waiting(&mut self) -> Result<()> {
        while self.may_begin() {
            let Some(call) = self.waiting.pop_front() else {
                break;
            };
            self.waiting_bytes -= call.held_bytes();
            if let Some(event) = self.channel.events.get(call.name()) {
                self.begin(event.function.serve(call, &event.terms)).await?;
            }
        }
        Ok(())
    }

    /// Begins one. Most are through at once.
    async fn begin(&mut self, mut serving: Serving) -> Result<()> {
        match poll_fn(|cx| Poll::Ready(serving.as_mut().poll(cx))).await {
            Poll::Ready(ended) => return ended,
            Poll::Pending => self.running.push(serving),
        }
        Ok(())
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
                return self.connection.refuse_text(None, error).await;
            }
        };
        let read = self.channel.policies.envelope.read(&text);
        let (name, data, id) = match read {
            Ok(Incoming::Event { name, data, id }) => (name, data, id),
            Ok(Incoming::Reply { to, answer }) => {
                return match self.peer().asked().answer(to, answer) {
                    Ok(()) => Ok(()),
                    Err(error) => self.connection.refuse_text(None, error).await,
                };
            }
            Err(Malformed { error, id }) => {
                return self.connection.refuse_text(id.as_ref(), error).await;
            }
        };
        let Some(event) = self.channel.events.get(name) else {
            let error = Error::new(
                ErrorKind::NotFound,
                "WHARF_UNKNOWN_EVENT",
                "there is no event of this name here; check its spelling",
            )
            .with_close(CloseFrame::cut(CloseCode::POLICY, "unknown event"));
            let policy = self.channel.policies.unknown;
            return refuse(self.peer(), policy, id.as_ref(), error).await;
        };
        if self.waiting.len() >= MAX_WAITING_FOR_REPLY {
            let error = Error::new(
                ErrorKind::Unavailable,
                "WHARF_BUSY",
                "too many events wait for those before them; send fewer at once",
            );
            return refuse(self.peer(), EventErrors::Reply, id.as_ref(), error).await;
        }
        let data = data.map(|data| place(&text, data));
        let call = Call::new(&self.connection, event.name, text, data, id);
        if self.waiting.is_empty() && self.may_begin() {
            return self.begin(event.function.serve(call, &event.terms)).await;
        }
        self.waiting_bytes += call.held_bytes();
        self.waiting.push_back(call);
        Ok(())
    }
}

impl Connection {
    /// Refuses what is no envelope.
    async fn refuse_text(&self, id: Option<&CallId>, error: Error) -> Result<()> {
        refuse(&self.peer, self.policies.invalid, id, error).await
    }
}
