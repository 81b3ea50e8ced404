//! What most sessions do without, most of the time.

use super::{lazy::LazyDeque, queue::Removed};
use crate::{
    message::{CloseFrame, Error, Message},
    policy::Bucket,
    wire::Unfinished,
};

/// What most sessions do without, most of the time: behind one pointer, made by whatever is the first
/// to need some of it.
#[derive(Debug, Default)]
pub(super) struct Rare {
    /// Where the route limits rates.
    pub(super) bucket: Option<Bucket>,
    /// The message that waits for tokens.
    pub(super) stalled: Option<Message>,
    /// What to close with once the handler is through with its message: the server is shutting
    /// down.
    pub(super) draining: Option<CloseFrame>,
    /// For observers, in order.
    pub(super) failures: LazyDeque<Error>,
    /// What the slow-client policy removed, ever, and since somebody asked.
    pub(super) messages_dropped: u64,
    pub(super) gap: Removed,
    /// What the idle timer and the heartbeat last saw of a message under way.
    pub(super) idle_mark: Unfinished,
    pub(super) silence_mark: Unfinished,
    /// How much had been sent when the write deadline was last set.
    pub(super) sent_mark: u64,
    /// Bytes that the transport was handed, as they go over the wire, where it does not count them.
    pub(super) taken_bytes: u64,
}
