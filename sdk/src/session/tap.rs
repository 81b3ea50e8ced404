//! One session's messages as they pass, for somebody who looks on.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use bytes::Bytes;

use super::{sender::Sender, shared::Shared};
use crate::message::{CloseCode, Message, MessageKind};

/// How many messages wait to be taken from a tap.
const MAX_WAITING: usize = 256;

/// The most that is copied of a message.
const MAX_CONTENT_BYTES: usize = 4096;

/// Which way a message went.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The peer sent it.
    In,
    /// The peer was sent it.
    Out,
}

/// A message that passed.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq)]
pub struct Passed {
    /// When.
    pub at: SystemTime,
    /// Which way.
    pub direction: Direction,
    /// Text, binary, or a control frame.
    pub kind: MessageKind,
    /// The size of its payload.
    pub payload_bytes: usize,
    /// The code of a close frame that has one.
    pub close_code: Option<CloseCode>,
    /// How its payload begins: as many bytes as the [tap](Sender::tap) asked for. A close frame's
    /// payload is its reason.
    pub start: Bytes,
}

/// Sees the messages of one session as they pass, until it is dropped: made by [`Sender::tap`].
///
/// It holds nothing up. What nobody takes is let go of, the oldest first, and counted.
#[must_use = "dropped, it sees nothing"]
pub struct Tap {
    shared: Arc<Shared>,
    seen: Arc<Seen>,
}

impl Sender {
    /// Looks on at the session's messages from now on, and keeps the first `content_bytes` of each,
    /// at most 4096: with 0, only what kind they are and how large. Messages that the framework's
    /// own socket exchanges are not seen. A session without a tap pays nothing for it.
    pub fn tap(&self, content_bytes: usize) -> Tap {
        let seen = Arc::new(Seen {
            content_bytes: content_bytes.min(MAX_CONTENT_BYTES),
            waiting: Mutex::default(),
        });
        let shared = Arc::clone(self.shared());
        let mut state = shared.lock();
        let taps = state.taps.get_or_insert_default();
        taps.0.push(Arc::clone(&seen));
        drop(state);
        Tap { shared, seen }
    }
}

impl Tap {
    /// What passed since the last call, the oldest first, and how many more there were that were
    /// not kept.
    pub fn take(&self) -> (Vec<Passed>, u64) {
        let waiting = std::mem::take(&mut *self.seen.waiting());
        (waiting.messages.into(), waiting.missed)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let taps = state.taps.take().and_then(|mut taps| {
            taps.0.retain(|seen| !Arc::ptr_eq(seen, &self.seen));
            (!taps.0.is_empty()).then_some(taps)
        });
        state.taps = taps;
    }
}

/// A session's taps. Most sessions have none, and no box.
#[derive(Debug, Default)]
pub(super) struct Taps(Vec<Arc<Seen>>);

impl Taps {
    /// Called under the session's lock: it wakes nobody, and drops nothing of the application's.
    pub(super) fn see<'a>(
        &self,
        direction: Direction,
        messages: impl Iterator<Item = &'a Message>,
    ) {
        let at = SystemTime::now();
        for message in messages {
            for seen in &self.0 {
                seen.push(passed(at, direction, message, seen.content_bytes));
            }
        }
    }
}

/// What a tap has seen and nobody has taken.
#[derive(Debug)]
struct Seen {
    content_bytes: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Passed>,
    missed: u64,
}

impl Seen {
    fn push(&self, passed: Passed) {
        let mut waiting = self.waiting();
        if waiting.messages.len() == MAX_WAITING {
            waiting.messages.pop_front();
            waiting.missed += 1;
        }
        waiting.messages.push_back(passed);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // The guarded sections only push and take.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn passed(at: SystemTime, direction: Direction, message: &Message, content_bytes: usize) -> Passed {
    let (payload, close_code): (&[u8], _) = match message {
        Message::Text(text) => (text.as_bytes(), None),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => (bytes, None),
        Message::Close(Some(frame)) => (frame.reason().as_bytes(), Some(frame.code())),
        Message::Close(None) => (&[], None),
        Message::Unknown(frame) => (&frame.payload, None),
    };
    Passed {
        at,
        direction,
        kind: message.kind(),
        payload_bytes: message.payload_bytes(),
        close_code,
        // A copy: a reference would hold the buffer that it was read into.
        start: Bytes::copy_from_slice(&payload[..payload.len().min(content_bytes)]),
    }
}

/// Without the payload: it stays out of logs.
impl fmt::Debug for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passed")
            .field("direction", &self.direction)
            .field("kind", &self.kind)
            .field("payload_bytes", &self.payload_bytes)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap")
            .field("session", &self.shared.info.id)
            .finish_non_exhaustive()
    }
}
