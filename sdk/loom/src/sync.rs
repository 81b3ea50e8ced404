//! What the bell is made of, by loom.

use std::task::Waker;

pub(super) use loom::sync::atomic::{AtomicBool, Ordering, fence};

/// As the one of `futures`, which the SDK uses.
pub(super) struct AtomicWaker(loom::future::AtomicWaker);

impl AtomicWaker {
    pub(super) fn new() -> Self {
        Self(loom::future::AtomicWaker::new())
    }

    pub(super) fn register(&self, waker: &Waker) {
        self.0.register_by_ref(waker);
    }

    pub(super) fn wake(&self) {
        self.0.wake();
    }

    pub(super) fn take(&self) -> Option<Waker> {
        self.0.take_waker()
    }
}

impl std::fmt::Debug for AtomicWaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AtomicWaker")
    }
}
