//! Messages in a task's hands, between the transport and the lock.

use std::cell::Cell;

use crate::message::Message;

/// A list that grew larger than this for a burst is not kept.
const MAX_SPARE: usize = 512;

thread_local! {
    // Of the thread and not of the session: a session needs it only while its task runs.
    static SPARE: Cell<Vec<Message>> = const { Cell::new(Vec::new()) };
}

/// Lends an empty list for messages that arrived.
pub(super) fn lend() -> Vec<Message> {
    SPARE.take()
}

/// Takes the list back, empty.
pub(super) fn give_back(batch: Vec<Message>) {
    if batch.is_empty() && batch.capacity() <= MAX_SPARE {
        SPARE.set(batch);
    }
}
