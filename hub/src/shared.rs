//! What all of a hub's parts share.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::{
    sync::OnceCell,
    time::{Instant, timeout},
};
use wharf_sdk::{ConnectionId, Result};

use crate::{
    BusCapabilities, Delivery, History, HubBuilder, HubObserver, NodeId, Position, RoomName,
    RoomOptions,
    attendance::Attendance,
    bus::{Bus, BusFuture, Entry},
    cell::{Cell, Stay, count_room, is_over},
    error,
    farewell::Farewells,
    frame::{Frame, OVERHEAD_BYTES, What},
    observe::{Figures, add, tell_each},
    sharded::{Sharded, shrink},
};

pub(crate) struct Shared {
    pub(crate) node: NodeId,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) capabilities: BusCapabilities,
    pub(crate) settings: HubBuilder,
    pub(crate) figures: Figures,
    rooms: Sharded<RoomName, Arc<Cell>>,
    pub(crate) attendances: Sharded<ConnectionId, Arc<Attendance>>,
    numbers: AtomicU64,
    /// Rooms that are used no more, by when that was.
    idle: Mutex<VecDeque<(Instant, Weak<Cell>)>>,
    /// Members who are owed a gap.
    lagging: Mutex<Vec<(RoomName, usize)>>,
    /// Rooms whose history could not be read.
    retries: Mutex<HashSet<RoomName>>,
    /// Rooms whose members could not be read.
    unread: Mutex<HashSet<RoomName>>,
    /// When a sign of each other node was last seen.
    pub(crate) nodes: Mutex<HashMap<NodeId, Instant>>,
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

impl Shared {
    pub(crate) fn new(settings: HubBuilder) -> Self {
        let bus = Arc::clone(&settings.bus);
        Self {
            node: NodeId::random(),
            capabilities: bus.capabilities(),
            bus,
            settings,
            figures: Figures::default(),
            rooms: Sharded::default(),
            attendances: Sharded::default(),
            numbers: AtomicU64::new(1),
            idle: Mutex::default(),
            lagging: Mutex::default(),
            retries: Mutex::default(),
            unread: Mutex::default(),
            nodes: Mutex::default(),
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

    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn encode(&self, what: What) -> Bytes {
        let origin = self.node;
        Frame { origin, what }.encode()
    }

    /// The largest message that can be published.
    pub(crate) fn max_message_bytes(&self) -> usize {
        self.capabilities
            .max_frame_bytes
            .saturating_sub(OVERHEAD_BYTES)
    }

    pub(crate) fn tell(&self, tell: impl Fn(&dyn HubObserver)) {
        tell_each(&self.settings.observers, tell);
    }

    /// Waits for the bus, and not longer than the deadline.
    pub(crate) async fn call<T>(&self, call: BusFuture<T>) -> Result<T> {
        match timeout(self.settings.bus_deadline, call).await {
            Ok(answer) => answer,
            Err(_) => Err(error::deadline()),
        }
    }

    pub(crate) fn foreign(&self, reason: &'static str) {
        add(&self.figures.foreign, 1);
        self.tell(|observer| observer.foreign(reason));
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

    // Rooms.

    /// What the rules say about a room.
    pub(crate) fn rule(&self, name: &RoomName) -> RoomOptions {
        let mut rules = self.settings.rules.iter();
        let rule = rules.find(|(prefix, _)| name.starts_with(prefix.as_str()));
        rule.map_or(self.settings.rooms, |(_, options)| *options)
    }

    /// The room on this node; made if it is not there.
    pub(crate) fn enter_cell(self: &Arc<Self>, name: &RoomName, options: RoomOptions) -> Stay {
        let mut rooms = self.rooms.lock(name);
        let cell = rooms
            .entry(name.clone())
            .or_insert_with(|| Arc::new(Cell::new(name.clone())));
        let cell = Arc::clone(cell);
        let mut state = cell.lock();
        count_room(self, state.users == 0, false);
        state.users += 1;
        state.idle_since = None;
        state.options = options.or(state.options);
        drop(state);
        Stay {
            hub: Arc::clone(self),
            cell,
        }
    }

    /// Somebody uses the room no more.
    pub(crate) fn leave_cell(&self, cell: &Arc<Cell>) {
        let mut rooms = self.rooms.lock(&cell.name);
        let mut state = cell.lock();
        state.users -= 1;
        if state.users > 0 {
            return;
        }
        count_room(self, false, true);
        if self.is_shared() {
            let now = Instant::now();
            state.idle_since = Some(now);
            drop(state);
            lock(&self.idle).push_back((now, Arc::downgrade(cell)));
        } else {
            drop(state);
            rooms.remove(&cell.name);
            shrink(&mut rooms);
        }
    }

    /// Lets go of rooms that nobody has used for long enough, in batches.
    pub(crate) fn let_go_of_idle_rooms(&self) {
        let now = Instant::now();
        let mut over: HashMap<usize, Vec<Arc<Cell>>> = HashMap::new();
        {
            let mut idle = lock(&self.idle);
            while let Some((since, _)) = idle.front() {
                if !is_over(Some(*since), self.settings.linger, now) {
                    break;
                }
                if let Some((since, cell)) = idle.pop_front()
                    && let Some(cell) = cell.upgrade()
                    && cell.lock().idle_since == Some(since)
                {
                    let shard = self.rooms.shard(&cell.name);
                    over.entry(shard).or_default().push(cell);
                }
            }
        }
        for (shard, cells) in over {
            // Whoever opens the room anew waits for the lock and subscribes behind this.
            let mut rooms = lock(&self.rooms.shards[shard]);
            let mut topics = Vec::new();
            for cell in cells {
                let state = cell.lock();
                if state.users == 0 {
                    rooms.remove(&cell.name);
                    if state.is_subscribed {
                        topics.push(cell.topic());
                    }
                }
            }
            if !topics.is_empty() {
                drop(self.bus.unsubscribe(topics));
            }
            shrink(&mut rooms);
        }
    }

    pub(crate) fn cell(&self, name: &RoomName) -> Option<Arc<Cell>> {
        self.rooms.lock(name).get(name).cloned()
    }

    /// Looks at every room, with a part of them locked at a time.
    pub(crate) fn for_each_cell(&self, mut look: impl FnMut(&Arc<Cell>)) {
        for shard in &self.rooms.shards {
            lock(shard).values().for_each(&mut look);
        }
    }

    pub(crate) fn cells(&self) -> Vec<Arc<Cell>> {
        self.rooms.values()
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

    pub(crate) fn take_unread(&self) -> Vec<Arc<Cell>> {
        let unread = std::mem::take(&mut *lock(&self.unread));
        unread.iter().filter_map(|name| self.cell(name)).collect()
    }

    pub(crate) fn retry_refills(self: &Arc<Self>) {
        let retries = std::mem::take(&mut *lock(&self.retries));
        for cell in retries.iter().filter_map(|name| self.cell(name)) {
            cell.retry_refill(self);
        }
    }

    /// Tells members what they missed, where there is room for it now.
    pub(crate) fn tell_lagging(&self) {
        let lagging = std::mem::take(&mut *lock(&self.lagging));
        let still: Vec<_> = lagging
            .into_iter()
            .filter(|(room, key)| {
                self.cell(room)
                    .is_some_and(|cell| !cell.tell_missed(self, *key))
            })
            .collect();
        lock(&self.lagging).extend(still);
    }

    /// Has this node's lease taken, before anybody on it is remembered.
    pub(crate) async fn take_lease(&self) -> Result<()> {
        let taken = self.has_lease.get_or_try_init(|| async {
            let beat = self.call(self.bus.beat(self.settings.lease)).await?;
            let now = Instant::now();
            lock(&self.nodes).extend(beat.live.into_iter().map(|node| (node, now)));
            Ok(())
        });
        taken.await.copied()
    }

    /// Asks the bus what came after a position, and hands it to the room.
    pub(crate) fn start_refill(
        self: &Arc<Self>,
        room: &RoomName,
        history: History,
        since: Position,
    ) {
        let replaying = self.bus.replay(room, history, Some(since));
        let (hub, room) = (Arc::clone(self), room.clone());
        tokio::spawn(async move {
            let replay = hub.call(replaying).await.ok();
            if let Some(cell) = hub.cell(&room) {
                cell.refill(&hub, replay);
            }
        });
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("node", &self.node)
            .field("bus", &self.capabilities.name)
            .finish_non_exhaustive()
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
