//! Who hears how the hub is doing.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use wharf_sdk::Error;

use crate::words::{NodeId, RoomName};

/// Is told what happens to the bus and to messages. Called on the hub's own tasks: return soon. One
/// that panics harms nobody.
pub trait HubObserver: Send + Sync + 'static {
    /// The bus is away. Rooms without history go on within this node.
    fn bus_down(&self, error: &Error) {
        let _ = error;
    }

    /// The bus is back.
    fn bus_up(&self) {}

    /// Something came over the bus that no node of this app can have sent, or not whole.
    fn foreign(&self, reason: &'static str) {
        let _ = reason;
    }

    /// The members of a room were told that something may have been missed.
    fn gap(&self, room: &RoomName, messages: Option<u64>) {
        let _ = (room, messages);
    }

    /// A node is gone, and all its members with it.
    fn node_gone(&self, node: NodeId) {
        let _ = node;
    }
}

/// Tells all observers; one that panics harms nobody.
pub(crate) fn tell_each(observers: &[Arc<dyn HubObserver>], tell: impl Fn(&dyn HubObserver)) {
    for observer in observers {
        if catch_unwind(AssertUnwindSafe(|| tell(&**observer))).is_err() {
            tracing::error!("an observer of the hub panicked; the hub goes on");
        }
    }
}
