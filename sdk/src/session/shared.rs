//! What a session's task and the handler's side of it share.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

use futures::task::AtomicWaker;
use tokio::sync::Notify;

use crate::{
    message::Result,
    policy::Limits,
    session::{engine::Engine, info::SessionInfo},
    wire::NativeSocket,
};

#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) info: Arc<SessionInfo>,
    pub(crate) limits: Arc<Limits>,
    /// Wakes the session's task.
    task: AtomicWaker,
    /// The session's task is running and will look at the two flags below before it sleeps.
    is_running: AtomicBool,
    /// The state was changed from outside the session's task.
    is_touched: AtomicBool,
    /// The handler's future wants to be polled.
    is_handler_woken: AtomicBool,
    /// Writers wait here for room, or for everything to be flushed.
    pub(crate) room: Notify,
    /// Told when the end begins and when it is complete.
    pub(crate) ending: Notify,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) engine: Engine,
    /// Who waits in `read`. Kept, so that a waiting reader costs no clone a message.
    pub(crate) reader: Option<Waker>,
    pub(crate) is_reader_waiting: bool,
    /// The smallest payload that a writer waits to find room for.
    pub(crate) wanted_room: Option<usize>,
    /// Somebody waits for everything to be flushed.
    pub(crate) is_flush_wanted: bool,
    /// Who waits in a method of the socket's `Sink`.
    pub(crate) sink: Option<Waker>,
    pub(crate) native: NativeRequest,
}

impl State {
    /// Makes the session ring when a payload of this size fits.
    pub(crate) fn want_room(&mut self, payload_bytes: usize) {
        let wanted = self.wanted_room.unwrap_or(payload_bytes);
        self.wanted_room = Some(wanted.min(payload_bytes));
    }

    /// Whether what somebody waits for has come; the wish is then fulfilled.
    pub(crate) fn take_fulfilled(&mut self) -> bool {
        let has_room = self
            .wanted_room
            .is_some_and(|bytes| self.engine.has_room(bytes));
        let is_flushed = self.is_flush_wanted && self.engine.is_flushed();
        if has_room {
            self.wanted_room = None;
        }
        if is_flushed {
            self.is_flush_wanted = false;
        }
        has_room || is_flushed
    }
}

/// A handler's wish for the framework's socket.
#[derive(Debug, Default)]
pub(crate) enum NativeRequest {
    #[default]
    None,
    Wanted(Option<Waker>),
    Made(Result<Box<dyn NativeSocket>>),
}

impl Shared {
    pub(crate) fn new(engine: Engine, info: Arc<SessionInfo>, limits: Arc<Limits>) -> Self {
        Self {
            state: Mutex::new(State {
                engine,
                reader: None,
                is_reader_waiting: false,
                wanted_room: None,
                is_flush_wanted: false,
                sink: None,
                native: NativeRequest::None,
            }),
            info,
            limits,
            task: AtomicWaker::new(),
            is_running: AtomicBool::new(false),
            is_touched: AtomicBool::new(false),
            is_handler_woken: AtomicBool::new(true),
            room: Notify::new(),
            ending: Notify::new(),
        }
    }

    /// Locks the state. No waker is called while it is held; of the application's, only payloads are
    /// dropped.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // The engine does not panic; were it to, other sessions must not.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the session's task look at the state. Call it after the lock is released.
    pub(crate) fn touch(&self) {
        // If the flag is still up, the task has not looked since the lock was held, and will.
        if self.is_touched.load(Ordering::Relaxed) {
            return;
        }
        self.is_touched.store(true, Ordering::SeqCst);
        self.wake_task();
    }

    pub(crate) fn wake_handler(&self) {
        self.is_handler_woken.store(true, Ordering::SeqCst);
    }

    pub(crate) fn take_handler_woken(&self) -> bool {
        self.is_handler_woken.load(Ordering::SeqCst)
            && self.is_handler_woken.swap(false, Ordering::SeqCst)
    }

    /// Lets go of every waker: the handler's own would keep this alive for ever, and the task's
    /// would keep the task's memory for as long as somebody holds a sender.
    pub(crate) fn let_go(&self) {
        let mut state = self.lock();
        let wakers = (
            state.reader.take(),
            state.sink.take(),
            std::mem::take(&mut state.native),
        );
        drop(state);
        drop(wakers);
        drop(self.task.take());
    }

    /// The session's task begins to run, woken by `waker`.
    pub(crate) fn enter(&self, waker: &Waker) {
        self.task.register(waker);
        self.is_running.store(true, Ordering::SeqCst);
    }

    /// The session's task is about to look at the state.
    pub(crate) fn look(&self) {
        if self.is_touched.load(Ordering::Relaxed) {
            self.is_touched.store(false, Ordering::SeqCst);
        }
    }

    /// Whether there is a reason to look again.
    pub(crate) fn is_pending(&self) -> bool {
        self.is_touched.load(Ordering::SeqCst) || self.is_handler_woken.load(Ordering::SeqCst)
    }

    /// The session's task is about to sleep; `false` if something came in between.
    pub(crate) fn leave(&self) -> bool {
        self.is_running.store(false, Ordering::SeqCst);
        if self.is_pending() {
            self.is_running.store(true, Ordering::SeqCst);
            return false;
        }
        true
    }

    fn wake_task(&self) {
        if !self.is_running.load(Ordering::SeqCst) {
            self.task.wake();
        }
    }
}

/// The handler's waker. It takes no lock, so anything may wake the handler at any time.
impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_handler();
        self.wake_task();
    }
}
