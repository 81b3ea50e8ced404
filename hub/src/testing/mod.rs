//! An engine in memory for tests: several hubs over one bus that can lose, delay, double, reorder
//! and cut off, under paused time.
//!
//! ```
//! use std::time::Duration;
//! use wharf_hub::{Hub, testing::Engine};
//! # use wharf_sdk::{App, Path, Result, Route, Socket, State, WebSocketExt, testing::TestHost};
//! # async fn chat(
//! #     Path(name): Path<String>,
//! #     State(hub): State<Hub>,
//! #     mut socket: Socket,
//! # ) -> Result<()> {
//! #     let room = hub.room(name)?;
//! #     let seat = room.join(&socket).tell_gaps(true).await?;
//! #     while let Some(line) = socket.read_text().await? {
//! #         let _ = room.publish(line).except(&seat).await;
//! #     }
//! #     Ok(())
//! # }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<()> {
//! let engine = Engine::new();
//! let node = |hub: &Hub| {
//!     let app = App::builder().state(hub.clone()).route(Route::new("/rooms/{name}", chat));
//!     Ok::<_, wharf_sdk::Error>(TestHost::new(app.build()?))
//! };
//! let (east, west) = (Hub::over(engine.bus()), Hub::over(engine.bus()));
//! let mut alice = node(&east)?.connect("/rooms/harbour").await;
//! let mut bob = node(&west)?.connect("/rooms/harbour").await;
//! tokio::time::sleep(Duration::from_millis(10)).await; // both have joined
//! alice.send_text("ahoy").await;
//! bob.expect_text("ahoy").await;
//!
//! engine.cut_off(west.node());
//! alice.send_text("is anybody there?").await;
//! tokio::time::sleep(Duration::from_secs(1)).await;
//! engine.reconnect(west.node());
//! bob.expect_text(r#"{"gap":{"messages":null}}"#).await;
//! # Ok(())
//! # }
//! ```

mod register;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use futures::FutureExt;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use wharf_sdk::{Error, ErrorKind};

use self::register::Register;
use crate::{
    bus::{
        Beat, Bus, BusCapabilities, BusEvent, BusFuture, BusListener, BusStats, Clock, Members,
        Place, Replay, Store,
    },
    words::{History, NodeId, Position, RoomName, SessionId, Topic, lock},
};

/// What happens to frames on their way. Chances are between 0 and 1.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// How likely a frame is lost, without a word.
    pub lose: f64,
    /// How likely it comes twice.
    pub double: f64,
    /// How likely others overtake it: it comes up to a second late.
    pub reorder: f64,
    /// How long everything takes, calls included.
    pub delay: Duration,
}

/// An engine in memory. Clones are the same one.
#[derive(Clone, Default)]
pub struct Engine(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    clock: Clock,
}

struct State {
    store: Store,
    register: Register,
    links: HashMap<NodeId, Link>,
    faults: Faults,
    random: fastrand::Rng,
}

impl Default for State {
    fn default() -> Self {
        Self {
            store: Store::default(),
            register: Register::default(),
            links: HashMap::new(),
            faults: Faults::default(),
            random: fastrand::Rng::with_seed(1),
        }
    }
}

struct Link {
    wanted: HashSet<Topic>,
    is_cut_off: bool,
    line: mpsc::UnboundedSender<(Instant, BusEvent)>,
    listener: Arc<dyn BusListener>,
}

impl Engine {
    /// An engine without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// A node's link to it.
    pub fn bus(&self) -> MemoryBus {
        MemoryBus {
            engine: self.clone(),
            node: OnceLock::new(),
        }
    }

    /// Sets what happens to frames from now on.
    pub fn set_faults(&self, faults: Faults) {
        lock(&self.0.state).faults = faults;
    }

    /// Makes the faults others, and always the same.
    pub fn set_seed(&self, seed: u64) {
        lock(&self.0.state).random = fastrand::Rng::with_seed(seed);
    }

    /// Cuts a node off, which notices at once.
    pub fn cut_off(&self, node: NodeId) {
        let mut state = lock(&self.0.state);
        if let Some(link) = state.links.get_mut(&node)
            && !link.is_cut_off
        {
            link.is_cut_off = true;
            link.tell(BusEvent::Down(away()));
        }
    }

    /// Ends what [`cut_off`](Self::cut_off) began.
    pub fn reconnect(&self, node: NodeId) {
        let mut state = lock(&self.0.state);
        if let Some(link) = state.links.get_mut(&node)
            && link.is_cut_off
        {
            link.is_cut_off = false;
            link.tell(BusEvent::Up);
        }
    }

    /// Cuts every node off.
    pub fn cut_off_all(&self) {
        for node in self.nodes() {
            self.cut_off(node);
        }
    }

    /// Ends what [`cut_off_all`](Self::cut_off_all) began.
    pub fn reconnect_all(&self) {
        for node in self.nodes() {
            self.reconnect(node);
        }
    }

    fn nodes(&self) -> Vec<NodeId> {
        lock(&self.0.state).links.keys().copied().collect()
    }

    /// Kills a node as far as the others can tell: nothing comes from it or reaches it any more,
    /// and its lease ends when it ends.
    pub fn kill(&self, node: NodeId) {
        lock(&self.0.state).links.remove(&node);
    }

    /// Forgets all histories, members and leases, as an engine that keeps nothing does when it
    /// starts again.
    pub fn forget(&self) {
        let mut state = lock(&self.0.state);
        state.store = Store::default();
        state.register = Register::default();
    }

    /// Sends bytes that no node sent.
    pub fn inject(&self, topic: &Topic, frame: impl Into<Bytes>) {
        lock(&self.0.state).send(topic, &frame.into(), None);
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.0.state);
        f.debug_struct("Engine")
            .field("nodes", &state.links.len())
            .field("faults", &state.faults)
            .finish_non_exhaustive()
    }
}

impl State {
    fn send(&mut self, topic: &Topic, frame: &Bytes, place: Option<Place>) {
        let (faults, random) = (&self.faults, &mut self.random);
        let at = Instant::now() + faults.delay;
        for link in self.links.values() {
            if link.is_cut_off || !link.wanted.contains(topic) || random.f64() < faults.lose {
                continue;
            }
            let copies = if random.f64() < faults.double { 2 } else { 1 };
            for _ in 0..copies {
                let event = BusEvent::Frame {
                    topic: topic.clone(),
                    frame: frame.clone(),
                    place,
                };
                if random.f64() < faults.reorder {
                    let late = at + Duration::from_millis(random.u64(1..1000));
                    let listener = Arc::clone(&link.listener);
                    tokio::spawn(async move {
                        sleep_until(late).await;
                        listener.hear(event);
                    });
                } else {
                    // A node that is gone hears nothing.
                    let _ = link.line.send((at, event));
                }
            }
        }
    }
}

impl Link {
    fn tell(&self, event: BusEvent) {
        let _ = self.line.send((Instant::now(), event));
    }
}

/// A node's link to an [`Engine`].
pub struct MemoryBus {
    engine: Engine,
    node: OnceLock<NodeId>,
}

impl MemoryBus {
    /// Does something now, and answers when it would have come back.
    fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut State, NodeId, Duration) -> T,
    ) -> BusFuture<T> {
        let now = self.engine.0.clock.now();
        let mut state = lock(&self.engine.0.state);
        let node = self.node.get().copied();
        let is_there = |node: &NodeId| {
            let link = state.links.get(node);
            link.is_some_and(|link| !link.is_cut_off)
        };
        let answer = match node.filter(is_there) {
            Some(node) => Ok(call(&mut state, node, now)),
            None => Err(away()),
        };
        let delay = state.faults.delay * 2;
        drop(state);
        async move {
            if !delay.is_zero() {
                sleep(delay).await;
            }
            answer
        }
        .boxed()
    }
}

impl Bus for MemoryBus {
    fn capabilities(&self) -> BusCapabilities {
        BusCapabilities {
            name: "memory",
            is_shared: true,
            history: true,
            presence: true,
            max_frame_bytes: 16 * 1024 * 1024,
        }
    }

    fn attach(&self, node: NodeId, listener: Arc<dyn BusListener>) {
        let _ = self.node.set(node);
        let (line, mut frames) = mpsc::unbounded_channel();
        let link = Link {
            wanted: HashSet::new(),
            is_cut_off: false,
            line,
            listener: Arc::clone(&listener),
        };
        lock(&self.engine.0.state).links.insert(node, link);
        tokio::spawn(async move {
            while let Some((at, event)) = frames.recv().await {
                sleep_until(at).await;
                listener.hear(event);
            }
        });
    }

    fn subscribe(&self, topics: Vec<Topic>) -> BusFuture<()> {
        if let Some(node) = self.node.get()
            && let Some(link) = lock(&self.engine.0.state).links.get_mut(node)
        {
            link.wanted.extend(topics);
        }
        self.call(|_, _, _| ())
    }

    fn unsubscribe(&self, topics: Vec<Topic>) -> BusFuture<()> {
        if let Some(node) = self.node.get()
            && let Some(link) = lock(&self.engine.0.state).links.get_mut(node)
        {
            link.wanted.retain(|topic| !topics.contains(topic));
        }
        self.call(|_, _, _| ())
    }

    fn publish(&self, topic: &Topic, frame: Bytes) -> BusFuture<()> {
        self.call(|state, _, _| state.send(topic, &frame, None))
    }

    fn append(&self, room: &RoomName, history: History, frame: Bytes) -> BusFuture<Position> {
        self.call(|state, _, now| {
            let place = state.store.append(room, history, frame.clone(), now);
            state.send(&Topic::Room(room.clone()), &frame, Some(place));
            place.position
        })
    }

    fn replay(
        &self,
        room: &RoomName,
        history: History,
        since: Option<Position>,
    ) -> BusFuture<Replay> {
        self.call(|state, _, now| state.store.replay(room, history, since, now))
    }

    fn enter(
        &self,
        room: &RoomName,
        session: SessionId,
        record: Bytes,
        notice: Bytes,
    ) -> BusFuture<()> {
        self.call(|state, _, _| {
            state.register.enter(room, session, record);
            state.send(&Topic::Room(room.clone()), &notice, None);
        })
    }

    fn leave(&self, room: &RoomName, session: SessionId, _: bool, notice: Bytes) -> BusFuture<()> {
        self.call(|state, _, _| {
            state.register.leave(room, session);
            state.send(&Topic::Room(room.clone()), &notice, None);
        })
    }

    fn members(&self, room: &RoomName) -> BusFuture<Members> {
        self.call(|state, _, now| Members {
            records: state.register.members(room),
            live: state.register.live(now),
        })
    }

    fn beat(&self, lease: Duration) -> BusFuture<Beat> {
        self.call(|state, node, now| state.register.beat(node, lease, now))
    }

    fn bury(&self, node: NodeId) -> BusFuture<()> {
        self.call(move |state, _, _| state.register.bury(node))
    }

    fn stats(&self) -> BusStats {
        let state = lock(&self.engine.0.state);
        let link = self.node.get().and_then(|node| state.links.get(node));
        link.map_or_else(BusStats::default, |link| BusStats {
            connected: !link.is_cut_off,
            subscriptions: link.wanted.len(),
        })
    }
}

impl fmt::Debug for MemoryBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBus")
            .field("node", &self.node.get())
            .finish_non_exhaustive()
    }
}

fn away() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "WHARF_BUS_AWAY",
        "this node is cut off from the engine",
    )
}
