//! Messages that have come and are not read.

use super::lazy::LazyDeque;
use crate::message::{Message, Result};

/// Messages that have come and are not read, in order. It takes no room until there is one.
///
/// It changes hands as a whole, and mostly by a pointer: from what the task has received to the
/// engine, and on to the handler.
#[derive(Debug, Default)]
pub(crate) struct Inbound(LazyDeque<Result<Message>, Known>);

/// What is known of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    bytes: usize,
    /// How many of them, from the front, own a compact copy of their payload instead of pinning a
    /// read buffer.
    compact: usize,
}

impl Inbound {
    pub(crate) const fn new() -> Self {
        Self(LazyDeque::new())
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For how many messages it has taken room.
    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Their payload bytes.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.0.beside().bytes
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Result<Message>> {
        self.0.iter()
    }

    #[inline]
    pub(crate) fn push(&mut self, item: Result<Message>) {
        let bytes = item.as_ref().map_or(0, Message::payload_bytes);
        self.0.push(item).bytes += bytes;
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Result<Message>> {
        let item = self.0.pop_front()?;
        let known = self.0.beside_mut()?;
        known.bytes -= item.as_ref().map_or(0, Message::payload_bytes);
        known.compact = known.compact.saturating_sub(1);
        Some(item)
    }

    /// Takes what is in another one behind its own.
    pub(crate) fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            return std::mem::swap(self, other);
        }
        while let Some(item) = other.pop() {
            self.push(item);
        }
    }

    /// Whether some of them pin read buffers.
    #[inline]
    pub(crate) fn pins_buffers(&self) -> bool {
        self.0.beside().compact < self.len()
    }

    /// Lets go of the buffers that they were read into.
    pub(crate) fn compact(&mut self) {
        let len = self.len();
        let compact = self.0.beside().compact;
        let added = self.0.iter_mut().skip(compact);
        added.flatten().for_each(Message::compact);
        if let Some(known) = self.0.beside_mut() {
            known.compact = len;
        }
    }

    /// Gives all memory back that holds nothing.
    pub(crate) fn shrink(&mut self) {
        self.0.shrink_to(0);
    }
}

/// What has come since the engine was last told.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    messages: Inbound,
    has_control: bool,
}

impl Arrived {
    /// Nothing yet; what comes is put in this empty list.
    pub(crate) fn in_list(empty: Inbound) -> Self {
        Self {
            messages: empty,
            has_control: false,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, message: Message) {
        self.has_control |= message.is_control();
        self.messages.push(Ok(message));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().flatten()
    }

    /// The list, to be emptied, and whether there is a control frame in it.
    #[inline]
    pub(super) fn take(&mut self) -> (&mut Inbound, bool) {
        let has_control = std::mem::take(&mut self.has_control);
        (&mut self.messages, has_control)
    }

    /// The list, to be used again if it is empty.
    pub(crate) fn into_messages(self) -> Inbound {
        self.messages
    }
}

impl IntoIterator for Inbound {
    type Item = Result<Message>;
    type IntoIter = <LazyDeque<Result<Message>, Known> as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
