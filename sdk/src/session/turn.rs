//! What a handler reads in its turn without a lock.
//!
//! A handler is polled by its session's task, and nobody else reads meanwhile: so the first message that it
//! reads in a turn, for which the lock is taken, brings along those behind it. What is not read when the turn
//! is over goes back to the engine, so that between turns all is as if they had been read one by one.

use std::{
    cell::{Cell, RefCell},
    ptr,
};

use super::{batch, engine::Inbound, shared::Shared};
use crate::message::{Message, Result};

thread_local! {
    static TURN: Turn = const { Turn::none() };
    /// A handler may run another session within its own turn, which then waits here.
    static OUTER: RefCell<Vec<Turn>> = const { RefCell::new(Vec::new()) };
}

/// A handler's turn.
struct Turn {
    /// Whose; it is only compared. Null if nobody has a turn.
    session: Cell<*const Shared>,
    /// What was brought along and is not read, if anything was.
    ahead: RefCell<Option<Inbound>>,
}

impl Turn {
    const fn none() -> Self {
        Self {
            session: Cell::new(ptr::null()),
            ahead: RefCell::new(None),
        }
    }

    #[inline]
    fn is_of(&self, session: &Shared) -> bool {
        ptr::eq(self.session.get(), session)
    }
}

/// The handler of this session is polled.
pub(super) fn begin(session: &Shared) {
    TURN.with(|turn| {
        if !turn.session.get().is_null() {
            let outer = Turn::none();
            outer.session.swap(&turn.session);
            outer.ahead.swap(&turn.ahead);
            OUTER.with_borrow_mut(|turns| turns.push(outer));
        }
        turn.session.set(session);
    });
}

/// It has been; returns what it has not read of what was brought along, which may be nothing.
pub(super) fn end() -> Option<Inbound> {
    TURN.with(|turn| {
        let ended = turn.ahead.take();
        let outer = OUTER.with_borrow_mut(Vec::pop);
        match outer {
            None => turn.session.set(ptr::null()),
            Some(outer) => {
                turn.session.swap(&outer.session);
                turn.ahead.swap(&outer.ahead);
            }
        }
        ended
    })
}

/// The next message that was brought along.
pub(super) fn read(session: &Shared) -> Option<Result<Message>> {
    TURN.with(|turn| match turn.is_of(session) {
        true => turn.ahead.borrow_mut().as_mut()?.pop(),
        false => of_outer(session, |turn| turn.ahead.borrow_mut().as_mut()?.pop())?,
    })
}

/// Brings all of these along, if the turn is of this session's handler, and reads the first.
pub(super) fn read_along(
    session: &Shared,
    all: impl FnOnce() -> Inbound,
) -> Option<Result<Message>> {
    let along = |turn: &Turn| {
        // Nothing of it is left, or the engine would not be asked.
        if let Some(read) = turn.ahead.take() {
            batch::give_back(read);
        }
        let mut all = all();
        let first = all.pop();
        match all.is_empty() {
            true => batch::give_back(all),
            false => *turn.ahead.borrow_mut() = Some(all),
        }
        first
    };
    TURN.with(|turn| match turn.is_of(session) {
        true => along(turn),
        false => of_outer(session, along)?,
    })
}

#[cold]
fn of_outer<R>(session: &Shared, act: impl FnOnce(&Turn) -> R) -> Option<R> {
    OUTER.with_borrow(|turns| {
        let turn = turns.iter().find(|turn| turn.is_of(session))?;
        Some(act(turn))
    })
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Instant};

    use super::*;
    use crate::{
        message::ConnectionId,
        policy::Limits,
        session::{
            engine::Engine,
            info::{SessionInfo, Way},
        },
    };

    fn session() -> Shared {
        let limits = Arc::new(Limits::default());
        let way = Way {
            route: "/".into(),
            pattern: "/".into(),
            method: "GET",
            driver: "none",
        };
        let info = SessionInfo::new(ConnectionId::next(), Arc::new(way));
        let engine = Engine::new(Arc::clone(&limits), None, Instant::now());
        Shared::new(engine, info, limits)
    }

    fn messages(texts: &[&str]) -> Inbound {
        let mut messages = Inbound::new();
        for text in texts {
            messages.push(Ok(Message::text(*text)));
        }
        messages
    }

    fn text(read: Option<Result<Message>>) -> Option<String> {
        let text = read?.ok()?.into_text()?;
        Some(text.to_string())
    }

    #[test]
    fn what_is_not_read_goes_back() {
        let session = session();
        begin(&session);
        assert!(read(&session).is_none());
        let first = read_along(&session, || messages(&["one", "two", "three"]));
        assert_eq!(text(first).as_deref(), Some("one"));
        assert_eq!(text(read(&session)).as_deref(), Some("two"));
        let unread = end().expect("it was brought along");
        assert_eq!((unread.len(), unread.bytes()), (1, 5));
        assert!(read(&session).is_none(), "the turn is over");
    }

    #[test]
    fn others_bring_nothing_along() {
        let (session, other) = (session(), session());
        let never = || -> Inbound { panic!("not in its turn") };
        assert!(read_along(&session, never).is_none());
        begin(&session);
        assert!(read_along(&other, never).is_none());
        assert!(read(&other).is_none());
        assert!(end().is_none_or(|unread| unread.is_empty()));
    }

    #[test]
    fn a_turn_within_a_turn_changes_nothing_about_it() {
        let (outer, inner) = (session(), session());
        begin(&outer);
        read_along(&outer, || messages(&["one", "two", "three"]));
        begin(&inner);
        read_along(&inner, || messages(&["four", "five"]));
        assert_eq!(text(read(&outer)).as_deref(), Some("two"));
        assert_eq!(end().map(|unread| unread.len()), Some(1));
        assert_eq!(text(read(&outer)).as_deref(), Some("three"));
        assert!(read(&inner).is_none());
        assert!(end().is_none_or(|unread| unread.is_empty()));
    }
}
