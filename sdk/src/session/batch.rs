//! Messages in a task's hands, between the transport and the lock.

use std::cell::Cell;

use super::engine::Inbound;

/// A list that grew larger than this for a burst is not kept.
const MAX_SPARE: usize = 512;

thread_local! {
    // Of the thread and not of the session: a session needs it only while its task runs.
    static SPARE: Cell<Inbound> = const { Cell::new(Inbound::new()) };
}

/// Lends an empty list for messages that arrived.
pub(super) fn lend() -> Inbound {
    SPARE.take()
}

/// Takes the list back, empty.
pub(super) fn give_back(batch: Inbound) {
    if batch.is_empty() && (1..=MAX_SPARE).contains(&batch.capacity()) {
        SPARE.set(batch);
    }
}
