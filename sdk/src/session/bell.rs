//! How a session's task sleeps without missing anything.
//!
//! Others change the session's state under its lock and then [`touch`](Bell::touch); the handler's
//! waker takes no lock and [calls for the handler](Bell::call_handler). The task looks at both
//! before it sleeps. Each side first raises its own flag and then reads the other's, with a fence in
//! between: so at least one of them sees that the other was there. `sdk/loom` goes through every
//! interleaving of this file.

use std::task::Waker;

use super::sync::{AtomicBool, AtomicWaker, Ordering, fence};

#[derive(Debug)]
pub(crate) struct Bell {
    /// Wakes the session's task.
    task: AtomicWaker,
    /// The session's task is running and will look at the two flags below before it sleeps.
    is_running: AtomicBool,
    /// The state was changed from outside the session's task.
    is_touched: AtomicBool,
    /// The handler's future wants to be polled.
    is_handler_called: AtomicBool,
}

impl Bell {
    /// The handler is called for its first turn.
    pub(crate) fn new() -> Self {
        Self {
            task: AtomicWaker::new(),
            is_running: AtomicBool::new(false),
            is_touched: AtomicBool::new(false),
            is_handler_called: AtomicBool::new(true),
        }
    }

    /// Makes the session's task look at the state. Call it after the lock is released.
    pub(crate) fn touch(&self) {
        // If the flag is still up, the task has not looked since the lock was held, and will.
        if self.is_touched.load(Ordering::Relaxed) {
            return;
        }
        self.is_touched.store(true, Ordering::Relaxed);
        self.wake_task();
    }

    /// Makes the session's task poll the handler.
    pub(crate) fn call_handler(&self) {
        self.is_handler_called.swap(true, Ordering::AcqRel);
        self.wake_task();
    }

    /// The same from the session's task, which will look before it sleeps.
    pub(crate) fn call_handler_next(&self) {
        self.is_handler_called.store(true, Ordering::Release);
    }

    /// Whether the handler wants its turn, which it then has.
    pub(crate) fn take_handler_call(&self) -> bool {
        self.is_handler_called.load(Ordering::Relaxed)
            && self.is_handler_called.swap(false, Ordering::Acquire)
    }

    /// The session's task begins to run, woken by `waker`.
    pub(crate) fn enter(&self, waker: &Waker) {
        self.task.register(waker);
        self.is_running.store(true, Ordering::Relaxed);
    }

    /// The session's task is about to look at the state; `true` if somebody changed it.
    pub(crate) fn look(&self) -> bool {
        let is_touched = self.is_touched.load(Ordering::Relaxed);
        if is_touched {
            self.is_touched.store(false, Ordering::Relaxed);
        }
        is_touched
    }

    /// The session's task is about to sleep; `false` if something came in between.
    pub(crate) fn leave(&self) -> bool {
        self.is_running.store(false, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let is_pending = self.is_touched.load(Ordering::Relaxed)
            || self.is_handler_called.load(Ordering::Relaxed);
        if is_pending {
            self.is_running.store(true, Ordering::Relaxed);
        }
        !is_pending
    }

    /// Lets go of the task's waker: it would keep the task's memory for as long as somebody holds
    /// a sender.
    pub(crate) fn let_go(&self) {
        drop(self.task.take());
    }

    fn wake_task(&self) {
        fence(Ordering::SeqCst);
        if !self.is_running.load(Ordering::Relaxed) {
            self.task.wake();
        }
    }
}
