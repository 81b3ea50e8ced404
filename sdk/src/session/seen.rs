//! What taps see of a session.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use bytes::Bytes;

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
    /// How its payload begins: as many bytes as the [tap](crate::Sender::tap) asked for. A close frame's
    /// payload is its reason.
    pub start: Bytes,
}

/// A session's taps.
#[derive(Debug, Default)]
pub(super) struct Taps(Vec<Arc<Seen>>);

impl Taps {
    pub(super) fn add(&mut self, seen: &Arc<Seen>) {
        self.0.push(Arc::clone(seen));
    }

    pub(super) fn remove(&mut self, seen: &Arc<Seen>) {
        self.0.retain(|other| !Arc::ptr_eq(other, seen));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

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
pub(super) struct Seen {
    content_bytes: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Passed>,
    missed: u64,
}

impl Seen {
    pub(super) fn new(content_bytes: usize) -> Self {
        Self {
            content_bytes: content_bytes.min(MAX_CONTENT_BYTES),
            waiting: Mutex::default(),
        }
    }

    /// What passed since the last call, and how much more there was.
    pub(super) fn take(&self) -> (Vec<Passed>, u64) {
        let waiting = std::mem::take(&mut *self.waiting());
        (waiting.messages.into(), waiting.missed)
    }

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
