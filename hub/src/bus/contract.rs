//! What an engine owes to a hub.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use wharf_sdk::{Error, Result};

use crate::{
    bus::standing::BusStats,
    words::{History, NodeId, Position, RoomName, SessionId, Topic},
};

/// The version of what nodes say to each other and have kept. Buses put it into every name, of
/// topics too, so that nodes of two versions run side by side and find nothing of each other that they
/// would have to understand. Only [`Topic::App`] is one for all versions: there they hear that there
/// are others.
pub const FORMAT: u8 = 1;

/// What a bus promises about a call: see [`Bus`].
pub type BusFuture<T> = BoxFuture<'static, Result<T>>;

/// An engine that carries rooms between nodes.
///
/// **Every method takes its place in order when it is called**, not when its future is polled, and
/// is carried out even if the future is dropped; the future tells how it went. Calls about one
/// topic are carried out in the order in which they were made.
///
/// **A bus that is away refuses at once**, with an error of kind
/// [`Unavailable`](wharf_sdk::ErrorKind::Unavailable), and comes back by itself. It remembers what
/// it was told to subscribe to, even while it was away, and after a reconnect subscribes to all of
/// it before it says [`BusEvent::Up`].
///
/// **The listener may be called from within [`append`](Self::append)**, and from no other method:
/// the others are called while a room is locked.
///
/// A bus owes history and presence only as far as its [`capabilities`](Self::capabilities) say so:
/// the hub does not call the others.
pub trait Bus: Send + Sync + 'static {
    /// What the bus can do. It does not change.
    fn capabilities(&self) -> BusCapabilities;

    /// Begins to tell `listener` what it hears, as this node. Called once.
    fn attach(&self, node: NodeId, listener: Arc<dyn BusListener>);

    /// Wants to hear these topics.
    fn subscribe(&self, topics: Vec<Topic>) -> BusFuture<()>;

    /// Wants to hear these topics no more.
    fn unsubscribe(&self, topics: Vec<Topic>) -> BusFuture<()>;

    /// Sends a frame to all nodes that hear the topic. Whether this node hears it too does not
    /// matter.
    fn publish(&self, topic: &Topic, frame: Bytes) -> BusFuture<()>;

    /// Stores a frame in a room's history, gives it a position and sends it, as one step. This node
    /// hears it, too, if it is subscribed, like all others with its [`Place`].
    fn append(&self, room: &RoomName, history: History, frame: Bytes) -> BusFuture<Position>;

    /// What a room's history has after `since`; with `None`, only where it ends.
    fn replay(
        &self,
        room: &RoomName,
        history: History,
        since: Option<Position>,
    ) -> BusFuture<Replay>;

    /// Remembers a member, in the place of what was remembered of it, then sends `notice` to the
    /// room.
    fn enter(
        &self,
        room: &RoomName,
        session: SessionId,
        record: Bytes,
        notice: Bytes,
    ) -> BusFuture<()>;

    /// Forgets a member, then sends `notice` to the room. `is_last` says that none of this node is
    /// left there.
    fn leave(
        &self,
        room: &RoomName,
        session: SessionId,
        is_last: bool,
        notice: Bytes,
    ) -> BusFuture<()>;

    /// Who is remembered in a room, and whose leases are good.
    fn members(&self, room: &RoomName) -> BusFuture<Members>;

    /// Renews this node's lease, and asks whose are good.
    fn beat(&self, lease: Duration) -> BusFuture<Beat>;

    /// Forgets all members of a node, and its lease.
    fn bury(&self, node: NodeId) -> BusFuture<()>;

    /// Figures.
    fn stats(&self) -> BusStats;
}

/// What a bus can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusCapabilities {
    /// The engine's name, for logs and errors.
    pub name: &'static str,
    /// Whether there can be other nodes.
    pub is_shared: bool,
    /// Whether rooms can have a history.
    pub history: bool,
    /// Whether rooms can have presence.
    pub presence: bool,
    /// The largest frame that it carries.
    pub max_frame_bytes: usize,
}

/// Is told what a bus hears, from the bus's own task and in order: return soon.
pub trait BusListener: Send + Sync + 'static {
    /// Takes an event.
    fn hear(&self, event: BusEvent);
}

/// What a bus tells.
#[derive(Debug)]
pub enum BusEvent {
    /// A frame came.
    Frame {
        /// Where it was sent to.
        topic: Topic,
        /// The frame, as it was published.
        frame: Bytes,
        /// Its place in the room's history, if it was [appended](Bus::append).
        place: Option<Place>,
    },
    /// The bus is there, for the first time or again, and everything is subscribed. What was sent
    /// while it was away is not heard any more.
    Up,
    /// The bus is away.
    Down(Error),
    /// Frames were lost on the way here: of these topics, or of any.
    Lost(Option<Vec<Topic>>),
    /// Something came that no node of this app can have sent.
    Foreign(&'static str),
}

/// A frame's place in its room's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where it is.
    pub position: Position,
    /// The offset of the frame before it, or anything between the two. A node that has heard that
    /// one has missed nothing.
    pub previous: u64,
}

/// A frame that a history kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its offset.
    pub offset: u64,
    /// The frame, as it was appended.
    pub frame: Bytes,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({}, {} bytes)", self.offset, self.frame.len())
    }
}

/// What a history has after a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Whether `entries` are everything that was ever appended after the position. If there is any
    /// doubt they are not.
    pub is_complete: bool,
    /// What is still there, in order: of what came after the position, or, if that is of another
    /// epoch, of all.
    pub entries: Vec<Entry>,
    /// Where the history ends: at the last of the entries, or behind.
    pub head: Position,
}

/// Who is remembered in a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// Their records, as they [entered](Bus::enter); some may be of nodes that are gone.
    pub records: Vec<Bytes>,
    /// The nodes whose leases are good.
    pub live: Vec<NodeId>,
}

/// What a node learns when it renews its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// The nodes whose leases are good, this one included.
    pub live: Vec<NodeId>,
    /// This node's own lease had ended, or there was none.
    pub had_lapsed: bool,
}
