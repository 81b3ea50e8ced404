//! Who hears what happens in a session: its handler's side, and the observers.

use std::{sync::MutexGuard, task::Waker};

use crate::{
    message::{CloseCode, CloseFrame, CloseOutcome, Error},
    session::{
        end::SessionEnd,
        engine::Counts,
        shared::{Shared, State},
    },
};

pub(super) struct Notifier {
    handler_waker: Waker,
    told_closing: bool,
    told_closed: bool,
    /// `None` once the end is told.
    ending: Option<SessionEnd>,
}

impl Notifier {
    pub(super) fn new(handler_waker: Waker, ending: SessionEnd) -> Self {
        Self {
            handler_waker,
            told_closing: false,
            told_closed: false,
            ending: Some(ending),
        }
    }

    pub(super) fn handler_waker(&self) -> &Waker {
        &self.handler_waker
    }

    /// Whether the end is told.
    pub(super) fn is_done(&self) -> bool {
        self.ending.is_none()
    }

    /// The close frame that a handler's error asks for.
    pub(super) fn close_frame_for(&self, error: &Error) -> CloseFrame {
        match &self.ending {
            Some(ending) => ending.close_frame_for(error),
            None => CloseFrame::cut(CloseCode::INTERNAL, ""),
        }
    }

    /// Tells the observers of the end, once.
    pub(super) fn tell_closed(&mut self, outcome: &CloseOutcome, counts: Counts) {
        if let Some(ending) = self.ending.take() {
            ending.tell_closed(outcome, counts);
        }
    }

    /// Wakes whoever waits for what just happened, and tells the observers of failures.
    pub(super) fn tell(&mut self, shared: &Shared, mut state: MutexGuard<'_, State>) {
        let reader = self.take_waiting_reader(shared, &mut state);
        let tells_closing = !self.told_closing && state.engine.is_closing();
        let tells_closed = !self.told_closed && state.engine.is_closed();
        let tells_ending = tells_closing || tells_closed;
        let tells_room = state.take_fulfilled() || tells_ending;
        if tells_room || state.engine.has_failures() {
            self.told_closing |= tells_closing;
            self.told_closed |= tells_closed;
            self.tell_news(shared, state, tells_room, tells_ending);
        } else {
            // Most turns have nothing to tell but that there is something to read.
            drop(state);
        }
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn tell_news(
        &self,
        shared: &Shared,
        mut state: MutexGuard<'_, State>,
        tells_room: bool,
        tells_ending: bool,
    ) {
        let failures = state.engine.take_failures();
        let sink = if tells_room { state.sink.take() } else { None };
        drop(state);

        if let Some(sink) = sink {
            sink.wake();
        }
        if tells_room {
            shared.room.notify_waiters();
        }
        if tells_ending {
            shared.ending.notify_waiters();
        }
        if let Some(ending) = &self.ending {
            for failure in failures {
                ending.tell_failed(&failure);
            }
        }
    }

    /// Whom to wake because there is something to read. The handler itself needs no waker: it is
    /// polled next.
    fn take_waiting_reader(&self, shared: &Shared, state: &mut State) -> Option<Waker> {
        if !state.is_reader_waiting || !state.engine.is_readable() {
            return None;
        }
        state.is_reader_waiting = false;
        let reader = state.reader.as_ref()?;
        if reader.will_wake(&self.handler_waker) {
            shared.wake_handler();
            return None;
        }
        Some(reader.clone())
    }
}
