//! What a node counts.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::{bus::BusStats, words::NodeId};

/// A node's figures, from [`Hub::stats`](crate::Hub::stats). The counts only grow.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// This node's id.
    pub node: String,
    /// Sessions that the hub knows of, now.
    pub sessions: usize,
    /// Rooms with somebody in them, on this node, now.
    pub rooms: usize,
    /// Places taken, on this node, now.
    pub members: usize,
    /// Messages that were published here.
    pub published: u64,
    /// Messages that were handed to sockets here.
    pub delivered: u64,
    /// Messages that were dropped for members that read too slowly.
    pub dropped: u64,
    /// Gaps that were told to members and subscriptions here.
    pub gaps: u64,
    /// What came over the bus and was not understood.
    pub foreign: u64,
    /// The bus.
    pub bus: BusStats,
}

#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) sessions: AtomicUsize,
    pub(crate) rooms: AtomicUsize,
    pub(crate) members: AtomicUsize,
    pub(crate) published: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) gaps: AtomicU64,
    pub(crate) foreign: AtomicU64,
}

impl Figures {
    pub(crate) fn snapshot(&self, node: NodeId, bus: BusStats) -> Stats {
        let count = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let now = |figure: &AtomicUsize| figure.load(Ordering::Relaxed);
        Stats {
            node: node.to_string(),
            sessions: now(&self.sessions),
            rooms: now(&self.rooms),
            members: now(&self.members),
            published: count(&self.published),
            delivered: count(&self.delivered),
            dropped: count(&self.dropped),
            gaps: count(&self.gaps),
            foreign: count(&self.foreign),
            bus,
        }
    }
}

pub(crate) fn add(figure: &AtomicU64, amount: u64) {
    figure.fetch_add(amount, Ordering::Relaxed);
}

/// Counts of a room.
#[derive(Debug, Default)]
pub(crate) struct RoomFigures {
    pub(crate) messages: u64,
    pub(crate) dropped: u64,
    pub(crate) gaps: u64,
}
