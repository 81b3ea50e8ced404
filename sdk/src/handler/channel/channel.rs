//! A handler made of events, as it is written down.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::{
    envelope::{Envelope, Replies, is_name},
    event::Event,
    function::{AnyFunction, AnyOpen, EventFunction, OpenFunction},
    policies::{EventErrors, Policies},
};
use crate::handler::{
    event_snapshot::EventSnapshot,
    middleware::{MessageMiddleware, MessageStack},
};

/// A handler made of typed events, with replies in both directions.
///
/// A peer sends `{"event": "add", "data": {…}, "id": 7}`; what the event's function returns goes
/// back as `{"reply": 7, "data": …}`, and what fails as `{"reply": 7, "error": {"code", "message"}}`:
/// one reply for each id, whatever happens.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use wharf_sdk::{Channel, Result, Route, channel::Data};
/// # use wharf_sdk::{App, testing::TestHost};
///
/// #[derive(Deserialize)]
/// struct Terms { a: i32, b: i32 }
///
/// async fn add(Data(terms): Data<Terms>) -> Result<i32> {
///     Ok(terms.a + terms.b)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let route = Route::new("/sums", Channel::new().on("add", add));
/// # let host = TestHost::new(App::builder().route(route).build()?);
/// let mut client = host.connect("/sums").await;
/// client.send_text(r#"{"event":"add","data":{"a":1,"b":2},"id":7}"#).await;
/// client.expect_text(r#"{"reply":7,"data":3}"#).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Channel {
    pub(super) events: Arc<BTreeMap<&'static str, Event>>,
    pub(super) policies: Arc<Policies>,
    pub(super) settings: Arc<Settings>,
    /// The first thing that is wrong with it: said when the app is built.
    pub(super) mistake: Option<String>,
}

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) open: Option<AnyOpen>,
    pub(super) drain: Option<AnyFunction>,
    pub(super) emitted: Vec<EventSnapshot>,
    pub(super) side_by_side: usize,
}

/// How many events of one connection may run side by side at the most.
const MAX_SIDE_BY_SIDE: usize = 64;

impl Channel {
    /// A channel that knows no event.
    pub fn new() -> Self {
        Self {
            events: Arc::default(),
            policies: Arc::new(Policies::of(Envelope::default())),
            settings: Arc::new(Settings {
                open: None,
                drain: None,
                emitted: Vec::new(),
                side_by_side: 1,
            }),
            mistake: None,
        }
    }

    /// Serves an event that anybody may send; see [`event`](Self::event) for one with a policy.
    #[must_use]
    pub fn on<Args: 'static>(self, name: &'static str, function: impl EventFunction<Args>) -> Self {
        self.event(Event::new(name, function))
    }

    /// Serves an event.
    #[must_use]
    pub fn event(mut self, event: Event) -> Self {
        let name = event.name;
        if !is_name(name) {
            self.mistake(format!(
                "event name {name:?} must be 1 to 64 letters, digits or -_.:/"
            ));
        }
        let events = Arc::make_mut(&mut self.events);
        if events.insert(name, event).is_some() {
            self.mistake(format!("event {name:?} is served twice; remove one"));
        }
        self
    }

    /// Says that the server sends this event. It is only described: any may be sent.
    #[must_use]
    pub fn emits(self, name: &'static str) -> Self {
        self.emits_as(EventSnapshot::emitted(name))
    }

    pub(super) fn emits_as(mut self, event: EventSnapshot) -> Self {
        if !is_name(&event.name) {
            self.mistake(format!(
                "event name {:?} must be 1 to 64 letters, digits or -_.:/",
                event.name
            ));
        }
        self.change().emitted.push(event);
        self
    }

    /// Runs first on each connection. What it returns is kept until the session ends and is what
    /// functions take as [`Held`](super::Held); an error ends the session as a failing handler does.
    #[must_use]
    pub fn on_open<Args: 'static>(mut self, function: impl OpenFunction<Args>) -> Self {
        self.change().open = Some(AnyOpen::new(function));
        self
    }

    /// Runs on each connection when the server begins to shut down, beside the events that run
    /// then. The connection is closed once it and they have ended, or shortly before the shutdown's
    /// deadline; no event is taken meanwhile. It takes what an event's function takes; what it
    /// returns is not sent, and observers are told if it fails.
    ///
    /// ```
    /// use wharf_sdk::{Channel, Result, channel::ChannelPeer};
    ///
    /// async fn goodbye(peer: ChannelPeer) -> Result<()> {
    ///     peer.emit("moving", &"come back in five seconds").await
    /// }
    ///
    /// let channel = Channel::new().on_drain(goodbye);
    /// # let _ = channel;
    /// ```
    #[must_use]
    pub fn on_drain<Args: 'static>(mut self, function: impl EventFunction<Args>) -> Self {
        self.change().drain = Some(AnyFunction::new(function));
        self
    }

    /// Runs around every event, inside what its route, its groups and the app add with
    /// `message_middleware`; first added is outermost.
    #[must_use]
    pub fn middleware(mut self, middleware: impl MessageMiddleware) -> Self {
        self.policies().middleware.push(middleware);
        self
    }

    /// Names the envelope's fields.
    #[must_use]
    pub fn envelope(mut self, envelope: Envelope) -> Self {
        let names = [
            envelope.event,
            envelope.data,
            envelope.id,
            envelope.reply,
            envelope.error,
        ];
        for (at, name) in names.iter().enumerate() {
            if name.is_empty() || names[..at].contains(name) {
                self.mistake(format!(
                    "envelope field {name:?} must be named, and differ from the other fields"
                ));
            }
        }
        let policies = self.policies();
        policies.replies = Replies::new(&envelope);
        policies.envelope = envelope;
        self
    }

    /// What becomes of an event that nobody serves. Default: a reply.
    #[must_use]
    pub fn unknown(mut self, policy: EventErrors) -> Self {
        self.policies().unknown = policy;
        self
    }

    /// What becomes of a text that is no envelope and of a payload that does not decode. Default: a
    /// reply.
    #[must_use]
    pub fn invalid(mut self, policy: EventErrors) -> Self {
        self.policies().invalid = policy;
        self
    }

    /// What becomes of an event whose function fails, panics or takes too long. Default: a reply.
    #[must_use]
    pub fn failed(mut self, policy: EventErrors) -> Self {
        self.policies().failed = policy;
        self
    }

    /// Runs up to this many events of one connection side by side, their replies in any order.
    /// Default: one, so that they run in the order in which they came. At most 64.
    #[must_use]
    pub fn side_by_side(mut self, events: usize) -> Self {
        self.change().side_by_side = events.clamp(1, MAX_SIDE_BY_SIDE);
        self
    }

    /// With this middleware around its own.
    pub(super) fn inside(mut self, middleware: &MessageStack) -> Self {
        let policies = self.policies();
        let own = std::mem::take(&mut policies.middleware);
        policies.middleware = middleware.with_inside(own);
        self
    }

    fn policies(&mut self) -> &mut Policies {
        Arc::make_mut(&mut self.policies)
    }

    fn change(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }

    fn mistake(&mut self, what: String) {
        self.mistake.get_or_insert(what);
    }
}

impl Default for Channel {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("events", &self.events.keys())
            .finish_non_exhaustive()
    }
}
