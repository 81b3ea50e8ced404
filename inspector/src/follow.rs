//! One session, followed live.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use wharf_sdk::{AppHandle, ConnectionId, Direction, Passed, Tap};

use crate::{
    contents::Contents,
    look::Look,
    view::{millis, row},
};

/// How often its messages are shown.
pub(crate) const EVERY: Duration = Duration::from_millis(250);

/// How many of them at a time; the others are counted.
const AT_ONCE: usize = 50;

/// A session that somebody follows.
pub(crate) struct Followed {
    id: ConnectionId,
    tap: Tap,
    contents: Option<Contents>,
}

impl Followed {
    /// Looks on at a session from now on, if it is there.
    pub(crate) fn begin(app: &AppHandle, id: &str, contents: Option<&Contents>) -> Option<Self> {
        let session = app.session(id.parse().ok()?)?;
        let pattern = session.info().pattern();
        let bytes = contents.map_or(0, |contents| contents.bytes_of(pattern));
        Some(Self {
            id: session.id(),
            tap: session.tap(bytes),
            contents: contents.filter(|_| bytes > 0).cloned(),
        })
    }

    /// How it is doing; nothing once it has ended.
    pub(crate) fn row(&self, look: &Look) -> Option<Value> {
        look.find(self.id).map(row)
    }

    /// The messages that passed, if there were any.
    pub(crate) fn passed(&self) -> Option<Value> {
        let (passed, mut missed) = self.tap.take();
        if passed.is_empty() {
            return None;
        }
        let skipped = passed.len().saturating_sub(AT_ONCE);
        missed += skipped as u64;
        let messages: Vec<_> = passed[skipped..].iter().map(|one| self.show(one)).collect();
        Some(json!({
            "kind": "passed",
            "id": self.id.to_string(),
            "shows_contents": self.contents.is_some(),
            "messages": messages,
            "missed": missed,
        }))
    }

    fn show(&self, passed: &Passed) -> Value {
        let at = passed.at.duration_since(SystemTime::UNIX_EPOCH);
        let contents = self.contents.as_ref();
        json!({
            "at_ms": millis(at.unwrap_or_default()),
            "is_in": passed.direction == Direction::In,
            "kind": passed.kind.as_str(),
            "bytes": passed.payload_bytes,
            "code": passed.close_code.map(|code| code.as_u16()),
            "text": contents.and_then(|contents| contents.text_of(passed)),
        })
    }
}
