//! Waiting in one of a session's lines.

use std::task::{Context, Waker};

use crate::session::{
    shared::{Line, Locked, Shared},
    waiters::Ticket,
};

/// A place in a line, perhaps; given up when it is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    shared: &'a Shared,
    line: Line,
    pub(super) ticket: Option<Ticket>,
}

impl<'a> Place<'a> {
    pub(super) fn new(shared: &'a Shared, line: Line) -> Self {
        Self {
            shared,
            line,
            ticket: None,
        }
    }

    /// Waits on; whoever was called in vain joins anew.
    pub(super) fn wait(&mut self, state: &mut Locked<'_>, cx: &Context<'_>) {
        wait(state, self.line, &mut self.ticket, cx);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            give_up(self.shared, self.line, ticket);
        }
    }
}

/// Takes a place in a line, or keeps the one that the ticket stands for.
pub(super) fn wait(
    state: &mut Locked<'_>,
    line: Line,
    ticket: &mut Option<Ticket>,
    cx: &Context<'_>,
) {
    let line = state.line(line);
    match *ticket {
        Some(held) if line.holds(held) => line.renew(held, cx.waker()),
        _ => *ticket = Some(line.join(0, cx.waker())),
    }
}

/// Leaves a line. Who was called and goes without writing passes the call on.
pub(super) fn give_up(shared: &Shared, line: Line, ticket: Ticket) {
    let mut state = shared.lock();
    let own = state.line(line).leave(ticket);
    let next = match line {
        Line::Room => state.call_writer(),
        Line::Flush | Line::End | Line::Gap => None,
    };
    drop(state);
    drop(own);
    next.into_iter().for_each(Waker::wake);
}
