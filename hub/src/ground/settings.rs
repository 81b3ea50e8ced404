//! What a hub is told to do.

use std::{sync::Arc, time::Duration};

use wharf_sdk::Message;

use crate::{
    bus::{Bus, LocalBus},
    ground::{observe::HubObserver, options::RoomOptions},
    words::Event,
};

/// Makes what sockets are sent of what happens in a room; `None` sends nothing.
pub(crate) type Render = Arc<dyn Fn(&Event) -> Option<Message> + Send + Sync>;

/// What a hub is told to do: [`HubBuilder`](crate::HubBuilder) has the words.
pub(crate) struct Settings {
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

impl Default for Settings {
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
