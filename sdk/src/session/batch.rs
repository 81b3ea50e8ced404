//! Messages in a task's hands, between the transport and the lock.

use std::{cell::Cell, collections::VecDeque};

use crate::{message::Message, session::engine::Outgoing};

/// A list that grew larger than this for a burst is not kept.
const MAX_SPARE: usize = 512;

thread_local! {
    // Of the thread and not of the session: a session needs them only while its task runs.
    static INCOMING: Cell<Vec<Message>> = const { Cell::new(Vec::new()) };
    static OUTGOING: Cell<VecDeque<Outgoing>> = const { Cell::new(VecDeque::new()) };
}

/// Lends an empty list for messages that arrived.
pub(super) fn lend_incoming() -> Vec<Message> {
    INCOMING.take()
}

/// Takes the list back, empty.
pub(super) fn give_back_incoming(batch: Vec<Message>) {
    if batch.is_empty() && batch.capacity() <= MAX_SPARE {
        INCOMING.set(batch);
    }
}

/// Lends an empty list for messages that leave.
pub(super) fn lend_outgoing() -> VecDeque<Outgoing> {
    OUTGOING.take()
}

/// Takes the list back, empty.
pub(super) fn give_back_outgoing(batch: VecDeque<Outgoing>) {
    if batch.is_empty() && batch.capacity() <= MAX_SPARE {
        OUTGOING.set(batch);
    }
}
