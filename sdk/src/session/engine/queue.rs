//! What waits to be sent: data bounded in bytes and messages, control frames ahead of it.

use bytestring::ByteString;

use super::{lazy::LazyDeque, outgoing::Outgoing};
use crate::{message::Message, policy::Limits};

/// Unsent answers to pings beyond this many: the oldest are dropped, since answering the latest
/// ping is enough ([RFC 6455 §5.5.3](https://www.rfc-editor.org/rfc/rfc6455#section-5.5.3)).
const MAX_CONTROL: usize = 32;

/// How many keys may have their latest value waiting, in places of their own beside the queue's.
pub(super) const MAX_KEYS: usize = 64;

/// A bounded queue of messages on their way out. Its bounds are the route's.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    data: Outbound,
    control: LazyDeque<Message, Compact>,
    /// What was dropped. Payloads may run the application's code when they are, so that happens
    /// behind the lock under which the queue is changed.
    discarded: LazyDeque<Outgoing>,
}

/// Data on its way out.
pub(crate) type Outbound = LazyDeque<Queued, Waiting>;

/// What is known of the data that waits.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Waiting {
    bytes: usize,
    /// The part that has keys. It takes no room from the rest, and may be as large.
    keyed: Tally,
    /// The part of the rest that stays.
    kept: Tally,
    compact: Compact,
}

/// How many messages of a list, from the front, own a compact copy of their payload instead of
/// pinning a read buffer.
#[derive(Debug, Clone, Copy, Default)]
struct Compact(usize);

impl Compact {
    /// One that was in this place is gone.
    #[inline]
    fn lose(&mut self, at: usize) {
        if at < self.0 {
            self.0 -= 1;
        }
    }
}

/// A message on its way out.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) message: Outgoing,
    place: Place,
}

/// What is sent past the queue.
impl From<Message> for Queued {
    fn from(message: Message) -> Self {
        Self {
            message: Outgoing::Own(message),
            place: Place::Kept,
        }
    }
}

/// What may become of a message while it waits.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// It may be dropped to make room.
    Loose,
    /// It stays.
    Kept,
    /// It stays until a later one with the same key, which stands for the same thing, replaces it.
    Keyed(Box<ByteString>),
}

/// Some of the waiting messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    messages: usize,
    bytes: usize,
}

impl Tally {
    #[inline]
    fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
    }

    fn take(&mut self, bytes: usize) {
        self.messages -= 1;
        self.bytes -= bytes;
    }

    /// Whether one more message of this size fits beside these.
    #[inline]
    fn leaves_room(
        self,
        limits: &Limits,
        max_bytes: usize,
        payload_bytes: usize,
        behind_bytes: usize,
    ) -> bool {
        let bytes = self.bytes.saturating_add(behind_bytes);
        self.messages < limits.queue_messages && bytes.saturating_add(payload_bytes) <= max_bytes
    }
}

/// What was removed to make room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

impl SendQueue {
    /// Keeps what is not sent until it can be dropped.
    pub(crate) fn discard(&mut self, message: impl Into<Outgoing>) {
        self.discarded.push_back(message.into());
    }

    #[inline]
    pub(crate) fn has_discarded(&self) -> bool {
        self.discarded.is_made()
    }

    pub(crate) fn take_discarded(&mut self) -> LazyDeque<Outgoing> {
        std::mem::take(&mut self.discarded)
    }

    /// Messages waiting, of the bounded kind.
    pub(crate) fn messages(&self) -> usize {
        self.data.len()
    }

    /// Their payload bytes.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.data.beside().bytes
    }

    #[inline]
    pub(crate) fn has_data(&self) -> bool {
        !self.data.is_empty()
    }

    #[inline]
    pub(crate) fn has_control(&self) -> bool {
        !self.control.is_empty()
    }

    /// Whether one more message of this size fits, when `behind_bytes` have left the queue but not
    /// the process. One that is larger than the whole queue fits when there is nothing else.
    #[inline]
    pub(crate) fn has_room(
        &self,
        limits: &Limits,
        payload_bytes: usize,
        behind_bytes: usize,
    ) -> bool {
        self.has_room_within(limits, limits.queue_bytes, payload_bytes, behind_bytes)
    }

    /// The same, were the queue of this size.
    #[inline]
    pub(crate) fn has_room_within(
        &self,
        limits: &Limits,
        max_bytes: usize,
        payload_bytes: usize,
        behind_bytes: usize,
    ) -> bool {
        let known = self.data.beside();
        let waiting = Tally {
            messages: self.data.len() - known.keyed.messages,
            bytes: known.bytes - known.keyed.bytes,
        };
        (self.data.is_empty() && behind_bytes == 0)
            || waiting.leaves_room(limits, max_bytes, payload_bytes, behind_bytes)
    }

    /// Queues a message; one that does not stay may be dropped to make room.
    #[inline]
    pub(crate) fn push(&mut self, message: impl Into<Outgoing>, stays: bool) {
        let message = message.into();
        let bytes = message.payload_bytes();
        let place = if stays { Place::Kept } else { Place::Loose };
        let known = self.data.push(Queued { message, place });
        known.bytes += bytes;
        if stays {
            known.kept.add(bytes);
        }
    }

    /// Puts a message in the place of a waiting one with the same key, or behind all.
    pub(crate) fn push_latest(&mut self, message: impl Into<Outgoing>, key: ByteString) -> Removed {
        let message = message.into();
        let Some(at) = self.position_of(&key) else {
            let bytes = message.payload_bytes();
            let place = Place::Keyed(Box::new(key));
            let known = self.data.push(Queued { message, place });
            known.bytes += bytes;
            known.keyed.add(bytes);
            return Removed::default();
        };
        let entry = &mut self.data[at];
        let old_bytes = entry.message.payload_bytes();
        let new_bytes = message.payload_bytes();
        let replaced = std::mem::replace(&mut entry.message, message);
        self.discarded.push_back(replaced);
        if let Some(known) = self.data.beside_mut() {
            known.bytes = known.bytes - old_bytes + new_bytes;
            known.keyed.bytes = known.keyed.bytes - old_bytes + new_bytes;
            known.compact.0 = known.compact.0.min(at);
        }
        Removed {
            messages: 1,
            bytes: old_bytes as u64,
        }
    }

    /// Whether the latest value of a key has a place. Keys have places of their own, whatever else
    /// waits: one always has, and up to [`MAX_KEYS`] as far as their bytes go.
    pub(crate) fn has_place(
        &self,
        limits: &Limits,
        key: &ByteString,
        payload_bytes: usize,
    ) -> bool {
        let mut others = self.data.beside().keyed;
        if let Some(at) = self.position_of(key) {
            others.take(self.data[at].message.payload_bytes());
        }
        others.messages == 0
            || (others.messages < MAX_KEYS
                && others.bytes.saturating_add(payload_bytes) <= limits.queue_bytes)
    }

    /// Whether a message of this size would fit if all that may be dropped were.
    pub(crate) fn can_make_room(
        &self,
        limits: &Limits,
        payload_bytes: usize,
        behind_bytes: usize,
    ) -> bool {
        let Waiting { keyed, kept, .. } = self.data.beside();
        let keeps_none = keyed.messages + kept.messages == 0;
        (keeps_none && behind_bytes == 0)
            || kept.leaves_room(limits, limits.queue_bytes, payload_bytes, behind_bytes)
    }

    /// Drops the oldest messages that may be dropped until one of this size fits.
    pub(crate) fn make_room(
        &mut self,
        limits: &Limits,
        payload_bytes: usize,
        behind_bytes: usize,
    ) -> Removed {
        let mut removed = Removed::default();
        let mut at = 0;
        while !self.has_room(limits, payload_bytes, behind_bytes) {
            // From where the last one was: before it, all stay.
            let loose = |entry: &Queued| entry.place == Place::Loose;
            let Some(next) = self.data.iter().skip(at).position(loose) else {
                break;
            };
            at += next;
            let Some(entry) = self.data.remove(at) else {
                break;
            };
            let bytes = entry.message.payload_bytes();
            if let Some(known) = self.data.beside_mut() {
                known.bytes -= bytes;
                known.compact.lose(at);
            }
            removed.messages += 1;
            removed.bytes += bytes as u64;
            self.discarded.push_back(entry.message);
        }
        removed
    }

    pub(crate) fn push_control(&mut self, message: Message) {
        if self.control.len() == MAX_CONTROL {
            // The handler's pings stay as long as there are pongs: it waits for their answers.
            let is_pong = |message: &Message| matches!(message, Message::Pong(_));
            let oldest = self.control.iter().position(is_pong).unwrap_or_default();
            let dropped = self.control.remove(oldest);
            self.discarded.extend(dropped.map(Outgoing::Own));
            if let Some(compact) = self.control.beside_mut() {
                compact.lose(oldest);
            }
        }
        self.control.push_back(message);
    }

    pub(crate) fn pop_control(&mut self) -> Option<Message> {
        self.control.beside_mut()?.lose(0);
        self.control.pop_front()
    }

    pub(crate) fn pop_data(&mut self) -> Option<Queued> {
        let entry = self.data.pop_front()?;
        let bytes = entry.message.payload_bytes();
        let known = self.data.beside_mut()?;
        known.bytes -= bytes;
        match entry.place {
            Place::Loose => {}
            Place::Kept => known.kept.take(bytes),
            Place::Keyed(_) => known.keyed.take(bytes),
        }
        known.compact.lose(0);
        Some(entry)
    }

    /// Lets the list of all data go, in exchange for an empty one.
    pub(crate) fn take_data(&mut self, empty: &mut Outbound) {
        if let Some(known) = self.data.beside_mut() {
            *known = Waiting::default();
        }
        std::mem::swap(&mut self.data, empty);
    }

    /// Takes the list back, empty, unless it has another by now.
    pub(crate) fn give_back(&mut self, empty: Outbound) {
        if !self.data.is_made() {
            self.data = empty;
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        let data = std::mem::take(&mut self.data).into_iter();
        let control = std::mem::take(&mut self.control).into_iter();
        let unsent = data
            .map(|entry| entry.message)
            .chain(control.map(Outgoing::Own));
        for message in unsent {
            self.discarded.push_back(message);
        }
    }

    /// Whether [`rest`](Self::rest) has something to do.
    pub(crate) fn wants_rest(&self, messages: usize) -> bool {
        self.is_oversized(messages)
            || self.data.beside().compact.0 < self.data.len()
            || self.control.beside().0 < self.control.len()
    }

    /// Gives memory back beyond what this many messages need, and what waiting messages hold
    /// beside themselves.
    pub(crate) fn rest(&mut self, messages: usize) {
        let added = self.data.beside().compact.0;
        let added = self.data.iter_mut().skip(added);
        added.for_each(|entry| entry.message.compact());
        let waiting = self.data.len();
        if let Some(known) = self.data.beside_mut() {
            known.compact.0 = waiting;
        }
        let added = self.control.beside().0;
        let added = self.control.iter_mut().skip(added);
        added.for_each(Message::compact);
        let waiting = self.control.len();
        if let Some(compact) = self.control.beside_mut() {
            compact.0 = waiting;
        }
        if self.is_oversized(messages) {
            self.data.shrink_to(messages);
        }
        self.control.shrink_to(messages);
    }

    /// Whether a burst has left much more room than this many messages need.
    fn is_oversized(&self, messages: usize) -> bool {
        self.data.is_empty() && self.data.capacity() > 2 * messages
    }

    fn position_of(&self, key: &ByteString) -> Option<usize> {
        let is_of_key =
            |entry: &Queued| matches!(&entry.place, Place::Keyed(other) if **other == *key);
        match self.data.beside().keyed.messages {
            // Most queues have no keys: nothing to look through.
            0 => None,
            _ => self.data.iter().position(is_of_key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            queue_bytes: 10,
            queue_messages: 3,
            ..Limits::default()
        }
    }

    fn next(queue: &mut SendQueue) -> Option<Outgoing> {
        queue.pop_data().map(|next| next.message)
    }

    #[test]
    fn the_message_being_added_counts() {
        let (limits, mut queue) = (&limits(), SendQueue::default());
        queue.push(Message::text("12345"), false);
        assert!(queue.has_room(limits, 5, 0));
        assert!(!queue.has_room(limits, 6, 0));
        assert!(
            !queue.has_room(limits, 5, 1),
            "bytes behind the queue count too"
        );
        queue.push(Message::text(""), false);
        queue.push(Message::text(""), false);
        assert!(!queue.has_room(limits, 0, 0), "messages count too");
    }

    #[test]
    fn a_message_over_the_whole_queue_goes_alone() {
        let (limits, mut queue) = (&limits(), SendQueue::default());
        assert!(queue.has_room(limits, 1000, 0));
        queue.push(Message::text(""), false);
        assert!(!queue.has_room(limits, 1000, 0));
    }

    #[test]
    fn dropping_the_oldest_keeps_the_order_and_counts() {
        let (limits, mut queue) = (&limits(), SendQueue::default());
        for text in ["1111", "2222", "33"] {
            queue.push(Message::text(text), false);
        }
        let removed = queue.make_room(limits, 4, 0);
        assert_eq!((removed.messages, removed.bytes), (1, 4));
        queue.push(Message::text("4444"), false);
        assert_eq!(next(&mut queue), Some(Message::text("2222").into()));
        assert_eq!(queue.bytes(), 6);
    }

    #[test]
    fn the_latest_of_a_key_takes_the_place_of_the_one_before() {
        let mut queue = SendQueue::default();
        queue.push_latest(Message::text("a1"), "a".into());
        queue.push_latest(Message::text("b1"), "b".into());
        assert_eq!(
            queue.push_latest(Message::text("a22"), "a".into()).messages,
            1
        );
        assert_eq!(queue.bytes(), 5);
        assert_eq!(next(&mut queue), Some(Message::text("a22").into()));
    }

    #[test]
    fn what_stays_is_not_dropped_to_make_room() {
        let (limits, mut queue) = (&limits(), SendQueue::default());
        queue.push(Message::text("loose"), false);
        queue.push(Message::text("kept"), true);
        assert!(queue.can_make_room(limits, 6, 0) && !queue.can_make_room(limits, 7, 0));
        assert_eq!(queue.make_room(limits, 6, 0).messages, 1);
        queue.push(Message::text("kept 2"), true);
        assert!(!queue.can_make_room(limits, 1, 0));
        assert_eq!(queue.make_room(limits, 1, 0).messages, 0);
        assert_eq!(next(&mut queue), Some(Message::text("kept").into()));
        assert_eq!(next(&mut queue), Some(Message::text("kept 2").into()));
        assert!(
            queue.has_room(limits, 10, 0),
            "what has left counts no more"
        );
    }

    #[test]
    fn keys_have_places_of_their_own() {
        let (limits, mut queue) = (&limits(), SendQueue::default());
        queue.push(Message::text("1234567890"), true);
        assert!(!queue.has_room(limits, 1, 0) && queue.has_place(limits, &"a".into(), 1000));
        queue.push_latest(Message::text("a"), "a".into());
        assert!(
            queue.has_place(limits, &"b".into(), 9) && !queue.has_place(limits, &"b".into(), 10)
        );
        assert!(
            queue.has_place(limits, &"a".into(), 1000),
            "alone it may be any size"
        );
        for key in 1..MAX_KEYS {
            queue.push_latest(Message::text(""), key.to_string().into());
        }
        assert!(
            !queue.has_place(limits, &"b".into(), 0) && queue.has_place(limits, &"a".into(), 1)
        );
        assert_eq!(next(&mut queue), Some(Message::text("1234567890").into()));
        assert!(
            queue.has_room(limits, 10, 0),
            "keys take no room from the rest"
        );
    }

    #[test]
    fn a_ping_flood_costs_a_fixed_number_of_answers() {
        let mut queue = SendQueue::default();
        for n in 0..1000u32 {
            queue.push_control(Message::Pong(n.to_be_bytes().to_vec().into()));
        }
        let mut count = 0;
        let mut last = None;
        while let Some(message) = queue.pop_control() {
            count += 1;
            last = Some(message);
        }
        assert_eq!(count, MAX_CONTROL);
        assert_eq!(
            last,
            Some(Message::Pong(999u32.to_be_bytes().to_vec().into()))
        );
    }
}
