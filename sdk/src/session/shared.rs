//! What a session's task and the handler's side of it share.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Wake, Waker},
};

use crate::{
    message::{Message, Phase, Result, SharedMessage, catch},
    policy::{Limits, SlowClient},
    session::{
        bell::Bell,
        clock::now,
        engine::{Admission, Delivery, Engine, Outgoing, backpressure},
        info::SessionInfo,
        tap::Taps,
        waiters::{Ticket, Waiters},
    },
    wire::NativeSocket,
};

#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) info: Arc<SessionInfo>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) bell: Bell,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) engine: Engine,
    /// Who waits in `read`. Kept, so that a waiting reader costs no clone a message.
    pub(crate) reader: Option<Waker>,
    pub(crate) is_reader_waiting: bool,
    /// Who waits for room in the send queue.
    pub(crate) writers: Waiters,
    /// Who waits for everything written to have left.
    pub(crate) flushers: Waiters,
    /// Who waits for the end to begin, or to be over.
    pub(crate) enders: Waiters,
    pub(crate) native: NativeRequest,
    /// Who looks on.
    pub(super) taps: Option<Box<Taps>>,
}

/// What can be waited for, beside a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    Room,
    Flush,
    End,
}

impl State {
    pub(crate) fn line(&mut self, line: Line) -> &mut Waiters {
        match line {
            Line::Room => &mut self.writers,
            Line::Flush => &mut self.flushers,
            Line::End => &mut self.enders,
        }
    }

    /// Queues a message, behind those that wait for room.
    pub(crate) fn write(
        &mut self,
        message: Message,
        policy: Option<SlowClient>,
    ) -> Result<Admission> {
        let is_behind_others = !self.writers.is_empty();
        self.engine.write(message, policy, is_behind_others, now)
    }

    /// The same for a message that many sessions send.
    pub(crate) fn write_shared(&mut self, message: &SharedMessage) -> Result<Delivery> {
        let is_behind_others = !self.writers.is_empty();
        self.engine.write_shared(message, is_behind_others, now)
    }

    /// Queues a message that waits for room, if its turn has come; else it keeps its place in the
    /// line, or takes one.
    pub(crate) fn write_in_turn(
        &mut self,
        message: Message,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
    ) -> Result<Admission> {
        let is_turn = match *ticket {
            Some(ticket) => !self.writers.holds(ticket),
            None => self.writers.is_empty(),
        };
        let bytes = message.payload_bytes();
        let admission = self.engine.write(message, None, !is_turn, now)?;
        match (&admission, *ticket) {
            (Admission::Done, _) => *ticket = None,
            (Admission::Wait(_), None) => *ticket = Some(self.writers.join(bytes, waker)),
            (Admission::Wait(_), Some(_)) if is_turn => {
                *ticket = Some(self.writers.rejoin(bytes, waker));
            }
            (Admission::Wait(_), Some(ticket)) => self.writers.renew(ticket, waker),
        }
        Ok(admission)
    }

    /// Calls whoever is next in the line for room, if there is room for it. Whoever is called calls
    /// the next: one at a time, so that none is woken in vain.
    pub(crate) fn call_writer(&mut self) -> Option<Waker> {
        let bytes = self.writers.first_payload_bytes()?;
        self.engine
            .has_room(bytes)
            .then(|| self.writers.call_first())?
    }

    pub(crate) fn send_latest(
        &mut self,
        key: &bytestring::ByteString,
        message: Message,
    ) -> Result<()> {
        match self.engine.write_latest(message, key, now)? {
            Admission::Done => Ok(()),
            Admission::Wait(message) => {
                self.engine.discard(message);
                Err(backpressure())
            }
        }
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

/// The locked state. What is discarded meanwhile is dropped once the lock is released, for it may
/// run the application's code.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    // In this order: the lock goes first.
    state: MutexGuard<'a, State>,
    discarded: Discarded<'a>,
}

#[derive(Debug)]
struct Discarded<'a> {
    shared: &'a Shared,
    messages: Vec<Outgoing>,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.discarded.messages = self.state.engine.take_discarded();
    }
}

impl Drop for Discarded<'_> {
    fn drop(&mut self) {
        for message in self.messages.drain(..) {
            if let Err(panic) = catch(|| drop(message)) {
                self.shared
                    .lock()
                    .engine
                    .note_failure(panic.in_phase(Phase::Session));
                self.shared.bell.touch();
            }
        }
    }
}

impl Shared {
    pub(crate) fn new(engine: Engine, info: Arc<SessionInfo>, limits: Arc<Limits>) -> Self {
        Self {
            state: Mutex::new(State {
                engine,
                reader: None,
                is_reader_waiting: false,
                writers: Waiters::default(),
                flushers: Waiters::default(),
                enders: Waiters::default(),
                native: NativeRequest::None,
                taps: None,
            }),
            info,
            limits,
            bell: Bell::new(),
        }
    }

    /// Locks the state. Nothing slow happens while it is held, no waker is called, and nothing of
    /// the application's is dropped.
    pub(crate) fn lock(&self) -> Locked<'_> {
        Locked {
            // The engine does not panic; were it to, other sessions must not.
            state: self.state.lock().unwrap_or_else(PoisonError::into_inner),
            discarded: Discarded {
                shared: self,
                messages: Vec::new(),
            },
        }
    }

    /// Makes the session's task look at the state. Call it after the lock is released.
    pub(crate) fn touch(&self) {
        self.bell.touch();
    }

    /// Lets go of every waker: the handler's own would keep this alive for ever, and the task's
    /// would keep the task's memory for as long as somebody holds a sender.
    pub(crate) fn let_go(&self) {
        let mut state = self.lock();
        let reader = state.reader.take();
        let native = std::mem::take(&mut state.native);
        let lines = [Line::Room, Line::Flush, Line::End];
        let waiting: Vec<_> = lines
            .into_iter()
            .flat_map(|line| state.line(line).call_all())
            .collect();
        drop(state);
        drop((reader, native));
        waiting.into_iter().for_each(Waker::wake);
        self.bell.let_go();
    }
}

/// The handler's waker. It takes no lock, so anything may wake the handler at any time.
impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.bell.call_handler();
    }
}
