//! Making a hub.

use std::{fmt, sync::Arc, time::Duration};

use wharf_sdk::{Message, Result};

use crate::{
    bus::Bus,
    ground::{HubObserver, RoomOptions, Settings},
    handles::hub::Hub,
    keep::Shared,
    state::What,
    upkeep::{Inbound, keeper},
    words::{Event, Topic, error},
};

impl Hub {
    /// A hub of this process alone.
    pub fn local() -> Self {
        Self::start(Settings::default())
    }

    /// A hub over a bus, with everything else as it is by default. Call it within a runtime.
    pub fn over(bus: impl Bus) -> Self {
        Self::start(HubBuilder::default().bus(bus).settings)
    }

    /// A hub with choices.
    pub fn builder() -> HubBuilder {
        HubBuilder::default()
    }

    fn start(settings: Settings) -> Self {
        let shared = Arc::new(Shared::new(settings));
        let listener = Inbound::new(&shared);
        shared.node.bus.attach(shared.node.id, Arc::new(listener));
        if shared.node.is_shared() {
            let (node, bus) = (&shared.node, &shared.node.bus);
            drop(bus.subscribe(vec![Topic::App]));
            drop(bus.publish(&Topic::App, node.encode(What::Here)));
            keeper::start(&shared);
        }
        Self { shared }
    }
}

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
#[derive(Default)]
pub struct HubBuilder {
    settings: Settings,
}

impl HubBuilder {
    /// Goes over this bus. Default: none, the rooms are this process's own.
    pub fn bus(mut self, bus: impl Bus) -> Self {
        self.settings.bus = Arc::new(bus);
        self
    }

    /// What rooms have for which no rule says anything else. Default: messages only.
    pub fn rooms(mut self, options: RoomOptions) -> Self {
        self.settings.rooms = options;
        self
    }

    /// What rooms have whose names begin so. The first rule that fits counts.
    pub fn rooms_beginning_with(mut self, prefix: &str, options: RoomOptions) -> Self {
        self.settings.rules.push((prefix.to_owned(), options));
        self
    }

    /// Makes what sockets are sent of what happens in a room; `None` sends nothing. Called once
    /// for all sockets of a room on this node. Default: [`Event::to_message`].
    pub fn render(
        mut self,
        render: impl Fn(&Event) -> Option<Message> + Send + Sync + 'static,
    ) -> Self {
        self.settings.render = Arc::new(render);
        self
    }

    /// Tells this observer what happens to the bus and to messages.
    pub fn observer(mut self, observer: impl HubObserver) -> Self {
        self.settings.observers.push(Arc::new(observer));
        self
    }

    /// In how many rooms a session may sit at once. Default: 128.
    pub fn rooms_per_session(mut self, rooms: usize) -> Self {
        self.settings.rooms_per_session = rooms;
        self
    }

    /// How long anything waits for the bus. Default: 3 s.
    pub fn bus_deadline(mut self, deadline: Duration) -> Self {
        self.settings.bus_deadline = deadline;
        self
    }

    /// How long a node goes on to hear a room that nobody is in any more. Default: 2 s.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.settings.linger = linger;
        self
    }

    /// After how long without a sign a node counts as gone, and its members with it. It is renewed
    /// three times as often. Default: 10 s.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// Checks everything and makes the hub. Over a shared bus it must be called within a runtime.
    ///
    /// # Errors
    ///
    /// `WHARF_HUB_CAPABILITY` where the bus cannot do what rooms ask for, `WHARF_CONFIG` for values
    /// that make no sense.
    pub fn build(self) -> Result<Hub> {
        let bus = self.settings.bus.capabilities();
        self.settings.rooms.check(bus)?;
        for (_, options) in &self.settings.rules {
            options.check(bus)?;
        }
        if self.settings.rooms_per_session == 0 {
            return Err(error::config("rooms_per_session is 0; give it at least 1"));
        }
        if self.settings.bus_deadline.is_zero() || self.settings.lease < Duration::from_secs(1) {
            return Err(error::config(
                "bus_deadline is 0 or lease is under 1 s; every node would count as gone",
            ));
        }
        Ok(Hub::start(self.settings))
    }
}

impl fmt::Debug for HubBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubBuilder")
            .field("bus", &self.settings.bus.capabilities().name)
            .field("rooms", &self.settings.rooms)
            .field("rules", &self.settings.rules)
            .finish_non_exhaustive()
    }
}
