//! Who keeps whom: a hub its rooms and sessions, a seat its room and the hub. A session knows its
//! seats without keeping them, so that dropping one leaves.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::time::Instant;
use wharf_sdk::{ConnectionId, Sender};

use crate::{
    cells::Cell,
    ground::{Node, Settings},
    keep::sharded::Sharded,
    words::{RoomName, SessionId, Welcome},
};

/// What all of a hub's parts share.
pub(crate) struct Shared {
    pub(crate) node: Arc<Node>,
    pub(crate) rooms: Sharded<RoomName, Arc<Cell>>,
    /// Rooms that are used no more, by when that was.
    pub(crate) idle: Mutex<VecDeque<(Instant, Weak<Cell>)>>,
    pub(crate) attendances: Sharded<ConnectionId, Arc<Attendance>>,
}

/// Keeps a room on this node while it is used. Dropping it is in `rooms.rs`.
#[derive(Debug)]
pub(crate) struct Stay {
    pub(crate) hub: Arc<Shared>,
    pub(crate) cell: Arc<Cell>,
}

/// A session that the hub knows: it sits somewhere, or was registered.
pub(crate) struct Attendance {
    pub(crate) sender: Sender,
    pub(crate) session: SessionId,
    pub(crate) seats: Mutex<Vec<Weak<Membership>>>,
    /// One join at a time, so that two at once are one membership.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

/// What all seats of a session in a room share. Dropping it is in `membership.rs`.
pub(crate) struct Membership {
    pub(crate) stay: Stay,
    pub(crate) key: usize,
    pub(crate) session: SessionId,
    pub(crate) attendance: Weak<Attendance>,
    pub(crate) welcome: Mutex<Option<Welcome>>,
    pub(crate) is_given_up: AtomicBool,
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            node: Arc::new(Node::new(settings)),
            rooms: Sharded::default(),
            idle: Mutex::default(),
            attendances: Sharded::default(),
        }
    }
}

impl Membership {
    pub(crate) fn cell(&self) -> &Arc<Cell> {
        &self.stay.cell
    }

    pub(crate) fn is_taken(&self) -> bool {
        !self.is_given_up.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.fmt(f)
    }
}
