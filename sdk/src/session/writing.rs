//! Writes under way.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::task::coop::poll_proceed;

use super::{
    clock::now,
    engine::Admission,
    line,
    shared::{Line, Shared},
    waiters::Ticket,
};
use crate::{
    message::{Message, Result},
    policy::SlowClient,
};

/// A message on its way into the queue, and its place in the line if there is no room.
///
/// The futures that carry one are written out and not `async`: a handler's future is as large as
/// the largest of what it awaits, and sessions wait with it.
#[derive(Debug, Default)]
pub(super) enum Unsent {
    /// It is in the queue, or there was none.
    #[default]
    None,
    New(Message),
    /// Boxed, since mostly there is room.
    Waiting(Box<(Message, Ticket)>),
}

impl Unsent {
    #[inline]
    pub(super) fn new(message: Message) -> Self {
        Self::New(message)
    }

    /// Takes this one behind what it took before, which has been sent.
    pub(super) fn put(&mut self, message: Message) {
        *self = Self::New(message);
    }

    /// Whether it has tried, and waits in the line.
    #[inline]
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting(_))
    }

    /// Queues the message, or waits for room. The policy is the message's own, in place of the
    /// route's.
    #[inline]
    pub(super) fn poll(
        &mut self,
        shared: &Shared,
        policy: Option<SlowClient>,
        cx: &Context<'_>,
    ) -> Poll<Result<()>> {
        let (message, ticket) = match std::mem::take(self) {
            Self::None => return Poll::Ready(Ok(())),
            // As nearly always: nobody waits, and there is room.
            Self::New(message) => match write_at_once(shared, message, policy) {
                Ok(Admission::Done) => return Poll::Ready(Ok(())),
                Ok(Admission::Wait(message)) => (message, None),
                Err(refusal) => return Poll::Ready(Err(refusal)),
            },
            Self::Waiting(waiting) => (waiting.0, Some(waiting.1)),
        };
        self.poll_in_line(message, ticket, shared, policy, cx)
    }

    /// The same in the line of those who wait.
    #[cold]
    fn poll_in_line(
        &mut self,
        message: Message,
        mut ticket: Option<Ticket>,
        shared: &Shared,
        policy: Option<SlowClient>,
        cx: &Context<'_>,
    ) -> Poll<Result<()>> {
        let mut state = shared.lock();
        let admission = state.write_in_turn(message, policy, &mut ticket, cx.waker());
        let next = state.call_writer();
        drop(state);
        if let Some(next) = next {
            next.wake();
        }
        if let Ok(Admission::Wait(message)) = admission {
            *self = match ticket {
                Some(ticket) => Self::Waiting(Box::new((message, ticket))),
                None => Self::New(message),
            };
            return Poll::Pending;
        }
        // A refusal may have begun the end.
        shared.touch();
        Poll::Ready(admission.map(drop))
    }

    /// Gives up its place, for it may be dropped.
    #[inline]
    pub(super) fn give_up(&mut self, shared: &Shared) {
        if let Self::Waiting(waiting) = self {
            line::give_up(shared, Line::Room, waiting.1);
            *self = Self::None;
        }
    }
}

/// Queues the message if nobody waits for room before it. Else it has to join them, and comes back.
fn write_at_once(
    shared: &Shared,
    message: Message,
    policy: Option<SlowClient>,
) -> Result<Admission> {
    let mut state = shared.lock();
    if state.has_waiting(Line::Room) {
        return Ok(Admission::Wait(message));
    }
    let admission = state.engine.write(message, policy, false, now);
    drop(state);
    // A refusal may have begun the end.
    shared.touch();
    admission
}

/// What [`Sender::send`](super::Sender::send) does.
#[derive(Debug)]
pub(super) struct Sending<'a> {
    shared: &'a Shared,
    unsent: Unsent,
    policy: Option<SlowClient>,
}

impl<'a> Sending<'a> {
    pub(super) fn new(shared: &'a Shared, message: Message, policy: Option<SlowClient>) -> Self {
        let unsent = Unsent::new(message);
        Self {
            shared,
            unsent,
            policy,
        }
    }
}

impl Future for Sending<'_> {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        if !this.unsent.is_waiting() {
            // Who sends in a loop without ever waiting yields now and then.
            ready!(poll_proceed(cx)).made_progress();
        }
        this.unsent.poll(this.shared, this.policy, cx)
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.unsent.give_up(self.shared);
    }
}
