//! What a session's task and the handler's side of it share.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use futures::task::{ArcWake, waker_ref};

use crate::{
    message::{Message, Phase, Result, SharedMessage, catch},
    policy::{Limits, SlowClient},
    session::{
        bell::Bell,
        clock::now,
        engine::{Admission, Delivery, Engine, LazyDeque, Outgoing, backpressure},
        info::SessionInfo,
        seen::Taps,
        waiters::{Ticket, Waiters},
    },
    wire::NativeSocket,
};

#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) info: SessionInfo,
    pub(crate) limits: Arc<Limits>,
    pub(crate) bell: Bell,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) engine: Engine,
    pub(crate) reader: Reader,
    /// Those who wait for the end have heard that it has begun; that it is over.
    pub(super) told_closing: bool,
    pub(super) told_closed: bool,
    /// Made by whoever is the first to wait for something else than the handler for a message, or to
    /// look on.
    waiting: Option<Box<Waiting>>,
}

/// Who waits in `read`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Reader {
    #[default]
    None,
    /// The handler, as nearly always: it needs no waker, for the session polls it.
    Handler,
    /// A task, or something within the handler that has a waker of its own.
    Elsewhere,
}

#[derive(Debug, Default)]
struct Waiting {
    /// For a message, where that is not the handler. Kept, so that it costs no clone a message.
    reader: Option<Waker>,
    /// For room in the send queue.
    writers: Waiters,
    /// For everything written to have left.
    flushers: Waiters,
    /// For the end to begin, or to be over.
    enders: Waiters,
    /// For messages to be dropped.
    gap_watchers: Waiters,
    native: NativeRequest,
    /// Who looks on.
    taps: Taps,
}

/// What can be waited for, beside a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    Room,
    Flush,
    End,
    Gap,
}

impl State {
    /// A line, to join.
    pub(crate) fn line(&mut self, line: Line) -> &mut Waiters {
        self.waiting.get_or_insert_default().line(line)
    }

    /// Whether somebody waits in a line.
    #[inline]
    pub(crate) fn has_waiting(&self, line: Line) -> bool {
        let waiting = self.waiting.as_deref();
        waiting.is_some_and(|waiting| !waiting.peek(line).is_empty())
    }

    /// Whether somebody waits for what a turn may bring, beside a message.
    pub(crate) fn awaits_news(&self) -> bool {
        self.waiting.as_deref().is_some_and(|waiting| {
            !waiting.flushers.is_empty()
                || !waiting.writers.is_empty()
                || (!waiting.gap_watchers.is_empty() && self.engine.has_gap())
        })
    }

    /// Takes all out of a line, to be woken.
    pub(crate) fn call_all(&mut self, line: Line) -> impl Iterator<Item = Waker> + use<> {
        let waiting = self.waiting.as_deref_mut();
        let called = waiting.map(|waiting| waiting.line(line).call_all());
        called.into_iter().flatten()
    }

    /// Whether a handler waits for the framework's socket.
    pub(crate) fn wants_native(&self) -> bool {
        let native = self.waiting.as_ref().map(|waiting| &waiting.native);
        matches!(native, Some(NativeRequest::Wanted(_)))
    }

    /// What is asked for, or made, of the framework's socket.
    pub(crate) fn take_native(&mut self) -> NativeRequest {
        let native = self.waiting.as_mut().map(|waiting| &mut waiting.native);
        native.map(std::mem::take).unwrap_or_default()
    }

    pub(crate) fn set_native(&mut self, native: NativeRequest) {
        self.waiting.get_or_insert_default().native = native;
    }

    /// The reader waits for a message.
    #[inline]
    pub(crate) fn await_message(&mut self, shared: &Arc<Shared>, waker: &Waker) {
        if waker.will_wake(&waker_ref(shared)) {
            self.reader = Reader::Handler;
            return;
        }
        self.reader = Reader::Elsewhere;
        let waiting = self.waiting.get_or_insert_default();
        match &mut waiting.reader {
            Some(reader) => reader.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Whom to wake, where that is not the handler.
    pub(crate) fn reader_elsewhere(&self) -> Option<Waker> {
        self.waiting.as_ref()?.reader.clone()
    }

    /// Those who look on, if anybody does.
    #[inline]
    pub(super) fn taps(&self) -> Option<&Taps> {
        let taps = &self.waiting.as_ref()?.taps;
        (!taps.is_empty()).then_some(taps)
    }

    pub(super) fn taps_mut(&mut self) -> &mut Taps {
        &mut self.waiting.get_or_insert_default().taps
    }

    /// Queues a message, behind those that wait for room.
    #[inline]
    pub(crate) fn write(
        &mut self,
        message: Message,
        policy: Option<SlowClient>,
    ) -> Result<Admission> {
        let is_behind_others = self.has_waiting(Line::Room);
        self.engine.write(message, policy, is_behind_others, now)
    }

    /// The same for a message that many sessions send.
    pub(crate) fn write_shared(&mut self, message: &SharedMessage) -> Result<Delivery> {
        let is_behind_others = self.has_waiting(Line::Room);
        self.engine.write_shared(message, is_behind_others, now)
    }

    /// Queues a message that waits for room, if its turn has come; else it keeps its place in the
    /// line, or takes one.
    #[inline]
    pub(crate) fn write_in_turn(
        &mut self,
        message: Message,
        policy: Option<SlowClient>,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
    ) -> Result<Admission> {
        let is_turn = match *ticket {
            Some(ticket) => !self.line(Line::Room).holds(ticket),
            None => !self.has_waiting(Line::Room),
        };
        let bytes = message.payload_bytes();
        let admission = self.engine.write(message, policy, !is_turn, now)?;
        match admission {
            Admission::Done => *ticket = None,
            Admission::Wait(_) => self.wait_for_room(bytes, is_turn, ticket, waker),
        }
        Ok(admission)
    }

    /// Takes a place in the line for room, or keeps the one that the ticket stands for. Whose turn
    /// has come and who finds too little joins in front again.
    #[cold]
    fn wait_for_room(
        &mut self,
        payload_bytes: usize,
        is_turn: bool,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
    ) {
        let line = self.line(Line::Room);
        match *ticket {
            None => *ticket = Some(line.join(payload_bytes, waker)),
            Some(_) if is_turn => *ticket = Some(line.rejoin(payload_bytes, waker)),
            Some(ticket) => line.renew(ticket, waker),
        }
    }

    /// Calls whoever is next in the line for room, if there is room for it. Whoever is called calls
    /// the next: one at a time, so that none is woken in vain.
    #[inline]
    pub(crate) fn call_writer(&mut self) -> Option<Waker> {
        let writers = &mut self.waiting.as_mut()?.writers;
        let bytes = writers.first_payload_bytes()?;
        self.engine.has_room(bytes).then(|| writers.call_first())?
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

impl Waiting {
    fn line(&mut self, line: Line) -> &mut Waiters {
        match line {
            Line::Room => &mut self.writers,
            Line::Flush => &mut self.flushers,
            Line::End => &mut self.enders,
            Line::Gap => &mut self.gap_watchers,
        }
    }

    fn peek(&self, line: Line) -> &Waiters {
        match line {
            Line::Room => &self.writers,
            Line::Flush => &self.flushers,
            Line::End => &self.enders,
            Line::Gap => &self.gap_watchers,
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
    messages: LazyDeque<Outgoing>,
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
    #[inline]
    fn drop(&mut self) {
        if self.state.engine.has_discarded() {
            self.discarded.messages = self.state.engine.take_discarded();
        }
    }
}

impl Drop for Discarded<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.messages.is_made() {
            self.drop_messages();
        }
    }
}

impl Discarded<'_> {
    #[cold]
    fn drop_messages(&mut self) {
        for message in std::mem::take(&mut self.messages) {
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
    pub(crate) fn new(engine: Engine, info: SessionInfo, limits: Arc<Limits>) -> Self {
        Self {
            state: Mutex::new(State {
                engine,
                reader: Reader::None,
                told_closing: false,
                told_closed: false,
                waiting: None,
            }),
            info,
            limits,
            bell: Bell::new(),
        }
    }

    /// Locks the state. Nothing slow happens while it is held, no waker is called, and nothing of
    /// the application's is dropped.
    #[inline]
    pub(crate) fn lock(&self) -> Locked<'_> {
        Locked {
            // The engine does not panic; were it to, other sessions must not.
            state: self.state.lock().unwrap_or_else(PoisonError::into_inner),
            discarded: Discarded {
                shared: self,
                messages: LazyDeque::new(),
            },
        }
    }

    /// Makes the session's task look at the state. Call it after the lock is released.
    pub(crate) fn touch(&self) {
        self.bell.touch();
    }

    /// Lets go of every waker: one that was made of the handler's own would keep this alive for
    /// ever, and the task's would keep the task's memory for as long as somebody holds a sender.
    pub(crate) fn let_go(&self) {
        let mut state = self.lock();
        let waiting = state.waiting.as_mut();
        let reader = waiting.and_then(|waiting| waiting.reader.take());
        let native = state.take_native();
        let lines = [Line::Room, Line::Flush, Line::End, Line::Gap];
        let waiting: Vec<_> = lines
            .into_iter()
            .flat_map(|line| state.call_all(line))
            .collect();
        drop(state);
        drop((reader, native));
        waiting.into_iter().for_each(Waker::wake);
        self.bell.let_go();
    }
}

/// The handler's waker. It takes no lock, so anything may wake the handler at any time.
impl ArcWake for Shared {
    fn wake_by_ref(this: &Arc<Self>) {
        this.bell.call_handler();
    }
}
