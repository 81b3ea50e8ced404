//! What a hub and its rooms are told to do.

use std::{fmt, sync::Arc, time::Duration};

use wharf_sdk::{Error, ErrorKind, Message, Result};

use crate::{Bus, BusCapabilities, Event, Hub, HubObserver, LocalBus, error};

/// How much of a room is kept, so that a member can come back to where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// How many messages.
    pub messages: usize,
    /// For how long each.
    pub age: Duration,
}

impl History {
    /// Keeps so many messages, each for so long.
    pub fn new(messages: usize, age: Duration) -> Self {
        Self { messages, age }
    }

    /// How long a bus remembers where a quiet room's history ended, so that who comes back late
    /// and missed nothing is told so.
    pub fn remembered_for(self) -> Duration {
        self.age + Duration::from_secs(3600)
    }
}

/// What a room has besides messages. All nodes must agree on it: set it by
/// [rule](HubBuilder::rooms_beginning_with) rather than room by room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoomOptions {
    pub(crate) history: Option<History>,
    pub(crate) presence: bool,
}

impl RoomOptions {
    /// Messages only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps so many messages, each for so long: see [`History`].
    #[must_use]
    pub fn with_history(mut self, messages: usize, age: Duration) -> Self {
        self.history = Some(History::new(messages, age));
        self
    }

    /// Knows who is there.
    #[must_use]
    pub fn with_presence(mut self) -> Self {
        self.presence = true;
        self
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            history: self.history.or(other.history),
            presence: self.presence || other.presence,
        }
    }

    pub(crate) fn check(self, bus: BusCapabilities) -> Result<()> {
        if let Some(history) = self.history {
            if history.messages == 0 || history.age.is_zero() {
                return Err(config(
                    "a history that keeps nothing; give it at least 1 message and some time",
                ));
            }
            if !bus.history {
                return Err(error::lacks(bus.name, "history"));
            }
        }
        if self.presence && !bus.presence {
            return Err(error::lacks(bus.name, "presence"));
        }
        Ok(())
    }
}

/// Makes what sockets are sent of what happens in a room; `None` sends nothing.
pub(crate) type Render = Arc<dyn Fn(&Event) -> Option<Message> + Send + Sync>;

/// A hub before it is checked.
///
/// ```
/// use std::time::Duration;
/// use wharf_hub::{Hub, RoomOptions};
///
/// # fn main() -> wharf_sdk::Result<()> {
/// let hub = Hub::builder()
///     .rooms(RoomOptions::new().with_presence())
///     .rooms_beginning_with("news/", RoomOptions::new().with_history(100, Duration::from_secs(60)))
///     .rooms_per_session(16)
///     .build()?;
/// # let _ = hub;
/// # Ok(())
/// # }
/// ```
#[must_use = "call build()"]
pub struct HubBuilder {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) rooms: RoomOptions,
    pub(crate) rules: Vec<(String, RoomOptions)>,
    pub(crate) render: Render,
    pub(crate) observers: Vec<Arc<dyn HubObserver>>,
    pub(crate) rooms_per_session: usize,
    pub(crate) bus_deadline: Duration,
    pub(crate) linger: Duration,
    pub(crate) lease: Duration,
}

impl Default for HubBuilder {
    fn default() -> Self {
        Self {
            bus: Arc::new(LocalBus::default()),
            rooms: RoomOptions::default(),
            rules: Vec::new(),
            render: Arc::new(Event::to_message),
            observers: Vec::new(),
            rooms_per_session: 128,
            bus_deadline: Duration::from_secs(3),
            linger: Duration::from_secs(2),
            lease: Duration::from_secs(10),
        }
    }
}

impl HubBuilder {
    /// Goes over this bus. Default: none, the rooms are this process's own.
    pub fn bus(mut self, bus: impl Bus) -> Self {
        self.bus = Arc::new(bus);
        self
    }

    /// What rooms have for which no rule says anything else. Default: messages only.
    pub fn rooms(mut self, options: RoomOptions) -> Self {
        self.rooms = options;
        self
    }

    /// What rooms have whose names begin so. The first rule that fits counts.
    pub fn rooms_beginning_with(mut self, prefix: &str, options: RoomOptions) -> Self {
        self.rules.push((prefix.to_owned(), options));
        self
    }

    /// Makes what sockets are sent of what happens in a room; `None` sends nothing. Called once
    /// for all sockets of a room on this node. Default: [`Event::to_message`].
    pub fn render(
        mut self,
        render: impl Fn(&Event) -> Option<Message> + Send + Sync + 'static,
    ) -> Self {
        self.render = Arc::new(render);
        self
    }

    /// Tells this observer what happens to the bus and to messages.
    pub fn observer(mut self, observer: impl HubObserver) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// In how many rooms a session may sit at once. Default: 128.
    pub fn rooms_per_session(mut self, rooms: usize) -> Self {
        self.rooms_per_session = rooms;
        self
    }

    /// How long anything waits for the bus. Default: 3 s.
    pub fn bus_deadline(mut self, deadline: Duration) -> Self {
        self.bus_deadline = deadline;
        self
    }

    /// How long a node goes on to hear a room that nobody is in any more. Default: 2 s.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// After how long without a sign a node counts as gone, and its members with it. It is renewed
    /// three times as often. Default: 10 s.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Checks everything and makes the hub. Over a shared bus it must be called within a runtime.
    ///
    /// # Errors
    ///
    /// `WHARF_HUB_CAPABILITY` where the bus cannot do what rooms ask for, `WHARF_CONFIG` for values
    /// that make no sense.
    pub fn build(self) -> Result<Hub> {
        let bus = self.bus.capabilities();
        self.rooms.check(bus)?;
        for (_, options) in &self.rules {
            options.check(bus)?;
        }
        if self.rooms_per_session == 0 {
            return Err(config("rooms_per_session is 0; give it at least 1"));
        }
        if self.bus_deadline.is_zero() || self.lease < Duration::from_secs(1) {
            return Err(config(
                "bus_deadline is 0 or lease is under 1 s; every node would count as gone",
            ));
        }
        Ok(Hub::start(self))
    }
}

impl fmt::Debug for HubBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubBuilder")
            .field("bus", &self.bus.capabilities().name)
            .field("rooms", &self.rooms)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

fn config(message: &'static str) -> Error {
    Error::new(ErrorKind::Config, "WHARF_CONFIG", message)
}
