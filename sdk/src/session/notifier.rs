//! Who hears what happens in a session: its handler's side, and the observers.

use std::{sync::Arc, task::Waker};

use crate::{
    message::{CloseCode, CloseFrame, CloseOutcome, Error},
    session::{
        end::SessionEnd,
        engine::Counts,
        shared::{Line, Locked, Reader, Shared, State},
    },
};

pub(super) struct Notifier {
    /// `None` once the end is told.
    ending: Option<Box<SessionEnd>>,
}

impl Notifier {
    pub(super) fn new(ending: SessionEnd) -> Self {
        Self {
            ending: Some(Box::new(ending)),
        }
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

    /// Tells the observers of a failure.
    pub(super) fn tell_failed(&self, shared: &Shared, failure: &Error) {
        if let Some(ending) = &self.ending {
            ending.tell_failed(shared, failure);
        }
    }

    /// Tells the observers of the end, once.
    pub(super) fn tell_closed(&mut self, shared: &Shared, outcome: &CloseOutcome, counts: Counts) {
        if let Some(ending) = self.ending.take() {
            ending.tell_closed(shared, outcome, counts);
        }
    }

    /// Wakes whoever waits for what just happened, and tells the observers of failures.
    pub(super) fn tell(&mut self, shared: &Arc<Shared>, mut state: Locked<'_>) {
        let reader = take_waiting_reader(shared, &mut state);
        let tells_closing = !state.told_closing && state.engine.is_closing();
        let tells_closed = !state.told_closed && state.engine.is_closed();
        let writer = state.call_writer();
        let has_news =
            tells_closing || tells_closed || state.engine.has_failures() || state.awaits_news();
        if has_news {
            state.told_closing |= tells_closing;
            state.told_closed |= tells_closed;
            self.tell_news(shared, state, tells_closing || tells_closed);
        } else {
            // Most turns have nothing to tell but that there is something to read.
            drop(state);
        }
        if let Some(reader) = reader {
            reader.wake();
        }
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    #[cold]
    fn tell_news(&self, shared: &Shared, mut state: Locked<'_>, tells_ending: bool) {
        let failures = state.engine.take_failures();
        let is_flushed = state.engine.is_flushed() || state.engine.is_closed();
        // Nobody's turn comes any more: all hear that it is over.
        let is_refused = state.engine.refuses_writes();
        let flushers = is_flushed.then(|| state.call_all(Line::Flush));
        let writers = is_refused.then(|| state.call_all(Line::Room));
        let enders = tells_ending.then(|| state.call_all(Line::End));
        let has_gap = state.engine.has_gap() || state.engine.is_closed();
        let gap_watchers = has_gap.then(|| state.call_all(Line::Gap));
        drop(state);

        flushers.into_iter().flatten().for_each(Waker::wake);
        writers.into_iter().flatten().for_each(Waker::wake);
        enders.into_iter().flatten().for_each(Waker::wake);
        gap_watchers.into_iter().flatten().for_each(Waker::wake);
        for failure in failures {
            self.tell_failed(shared, &failure);
        }
    }
}

/// Whom to wake because there is something to read. The handler itself needs no waker: it is polled
/// next.
fn take_waiting_reader(shared: &Arc<Shared>, state: &mut State) -> Option<Waker> {
    if state.reader == Reader::None || !state.engine.is_readable() {
        return None;
    }
    match std::mem::take(&mut state.reader) {
        Reader::None => None,
        Reader::Handler => {
            shared.bell.call_handler_next();
            None
        }
        Reader::Elsewhere => state.reader_elsewhere(),
    }
}
