//! This node on its bus: what is there before any room is.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::{
    sync::OnceCell,
    time::{Instant, timeout},
};
use wharf_sdk::{Message, Result};

use crate::{
    bus::{Bus, BusCapabilities, BusFuture, Entry},
    ground::{
        figures::{Figures, add},
        observe::{HubObserver, tell_each},
        options::RoomOptions,
        settings::Settings,
    },
    state::{Farewells, Frame, OVERHEAD_BYTES, What},
    words::{Delivery, NodeId, Position, RoomName, SessionId, error, lock},
};

/// This node on its bus.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) capabilities: BusCapabilities,
    pub(crate) settings: Settings,
    pub(crate) figures: Figures,
    numbers: AtomicU64,
    /// Members who are owed a gap.
    pub(crate) lagging: Mutex<Vec<(RoomName, usize)>>,
    /// Rooms whose history could not be read.
    pub(crate) retries: Mutex<HashSet<RoomName>>,
    /// Rooms whose members could not be read.
    pub(crate) unread: Mutex<HashSet<RoomName>>,
    /// When a sign of each other node was last seen.
    pub(crate) others: Mutex<HashMap<NodeId, Instant>>,
    pub(crate) outage: Outage,
    /// The bus may not know who is here.
    pub(crate) is_presence_dirty: AtomicBool,
    /// Who left, and the bus has not been told.
    pub(crate) farewells: Mutex<Farewells>,
    /// This node's lease has been taken.
    pub(crate) has_lease: OnceCell<()>,
    pub(crate) has_keeper: AtomicBool,
    pub(crate) is_shut: AtomicBool,
}

/// When the bus is or was away.
#[derive(Default)]
pub(crate) struct Outage {
    /// Since when it is away.
    pub(crate) began: Mutex<Option<Instant>>,
    /// When, after the last outage, all nodes have had time to come back.
    pub(crate) settles: Mutex<Option<Instant>>,
}

impl Outage {
    /// Whether the bus is there, and the nodes are back after it was not.
    pub(crate) fn is_over(&self) -> bool {
        lock(&self.began).is_none() && lock(&self.settles).is_none()
    }
}

impl Node {
    pub(crate) fn new(settings: Settings) -> Self {
        let bus = Arc::clone(&settings.bus);
        Self {
            id: NodeId::random(),
            capabilities: bus.capabilities(),
            bus,
            settings,
            figures: Figures::default(),
            numbers: AtomicU64::new(1),
            lagging: Mutex::default(),
            retries: Mutex::default(),
            unread: Mutex::default(),
            others: Mutex::default(),
            outage: Outage::default(),
            is_presence_dirty: AtomicBool::new(false),
            farewells: Mutex::default(),
            has_lease: OnceCell::new(),
            has_keeper: AtomicBool::new(false),
            is_shut: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.capabilities.is_shared
    }

    pub(crate) fn has_presence(&self) -> bool {
        self.is_shared() && self.capabilities.presence
    }

    /// What the rules say about a room.
    pub(crate) fn rule(&self, name: &RoomName) -> RoomOptions {
        let mut rules = self.settings.rules.iter();
        let rule = rules.find(|(prefix, _)| name.starts_with(prefix.as_str()));
        rule.map_or(self.settings.rooms, |(_, options)| *options)
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Says something, with the next number.
    pub(crate) fn encode(&self, what: What) -> Bytes {
        self.encode_as(self.next_number(), what)
    }

    pub(crate) fn encode_as(&self, number: u64, what: What) -> Bytes {
        let origin = self.id;
        let frame = Frame {
            origin,
            number,
            what,
        };
        frame.encode()
    }

    /// Checks that a message can be published.
    pub(crate) fn check_message(&self, message: &Message) -> Result<()> {
        if !message.is_data() {
            return Err(error::not_data());
        }
        let max_frame_bytes = self.capabilities.max_frame_bytes;
        let limit = max_frame_bytes.saturating_sub(OVERHEAD_BYTES);
        let bytes = message.payload_bytes();
        if bytes > limit {
            return Err(error::too_large(bytes, limit));
        }
        Ok(())
    }

    pub(crate) fn tell(&self, tell: impl Fn(&dyn HubObserver)) {
        tell_each(&self.settings.observers, tell);
    }

    pub(crate) fn foreign(&self, reason: &'static str) {
        add(&self.figures.foreign, 1);
        self.tell(|observer| observer.foreign(reason));
    }

    /// Waits for the bus, and not longer than the deadline.
    pub(crate) async fn call<T>(&self, call: BusFuture<T>) -> Result<T> {
        match timeout(self.settings.bus_deadline, call).await {
            Ok(answer) => answer,
            Err(_) => Err(error::deadline()),
        }
    }

    /// Has this node's lease taken, before anybody on it is remembered.
    pub(crate) async fn take_lease(&self) -> Result<()> {
        let taken = self.has_lease.get_or_try_init(|| async {
            let beat = self.call(self.bus.beat(self.settings.lease)).await?;
            let now = Instant::now();
            lock(&self.others).extend(beat.live.into_iter().map(|node| (node, now)));
            Ok(())
        });
        taken.await.copied()
    }

    /// Waits until the bus has taken a change of presence; if it does not, all of it is told again.
    pub(crate) async fn check_presence(&self, changing: BusFuture<()>) {
        if self.call(changing).await.is_err() {
            self.is_presence_dirty.store(true, Ordering::Release);
        }
    }

    /// Sees that a leaving reaches the bus; if it does not, it is told with all presence, later.
    /// Outside of a runtime the lease will do.
    pub(crate) fn watch_leaving(
        self: &Arc<Self>,
        room: &RoomName,
        session: SessionId,
        leaving: BusFuture<()>,
    ) {
        let (node, room) = (Arc::clone(self), room.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if node.call(leaving).await.is_err() {
                    lock(&node.farewells).add(room, session);
                    node.is_presence_dirty.store(true, Ordering::Release);
                }
            });
        }
    }

    /// Reads what a history kept; damage is counted.
    pub(crate) fn read_entry(&self, epoch: u64, entry: &Entry) -> Option<Delivery> {
        match Frame::decode(&entry.frame).map(|frame| frame.what) {
            Ok(What::Publish {
                except, message, ..
            }) => Some(Delivery {
                message,
                position: Some(Position {
                    epoch,
                    offset: entry.offset,
                }),
                except,
            }),
            Ok(_) => {
                self.foreign("a history has something other than messages");
                None
            }
            Err(reason) => {
                self.foreign(reason);
                None
            }
        }
    }

    // What is to be done later.

    pub(crate) fn note_lagging(&self, room: &RoomName, key: usize) {
        lock(&self.lagging).push((room.clone(), key));
    }

    pub(crate) fn note_retry(&self, room: &RoomName) {
        lock(&self.retries).insert(room.clone());
    }

    pub(crate) fn note_unread(&self, room: &RoomName) {
        lock(&self.unread).insert(room.clone());
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("node", &self.id)
            .field("bus", &self.capabilities.name)
            .finish_non_exhaustive()
    }
}
