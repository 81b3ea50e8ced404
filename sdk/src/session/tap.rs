//! One session's messages as they pass, for somebody who looks on.

use std::{fmt, sync::Arc};

use super::{
    seen::{Passed, Seen},
    sender::Sender,
    shared::Shared,
};

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
        let seen = Arc::new(Seen::new(content_bytes));
        let shared = Arc::clone(self.shared());
        let mut state = shared.lock();
        state.taps_mut().add(&seen);
        drop(state);
        Tap { shared, seen }
    }
}

impl Tap {
    /// What passed since the last call, the oldest first, and how many more there were that were
    /// not kept.
    pub fn take(&self) -> (Vec<Passed>, u64) {
        self.seen.take()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.shared.lock().taps_mut().remove(&self.seen);
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap")
            .field("session", &self.shared.info.id())
            .finish_non_exhaustive()
    }
}
