//! The room's end of a subscription.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use crate::words::{Event, Gap, lock};

/// How many events wait for a subscriber; more are a gap.
pub(crate) const MAX_EVENTS: usize = 1024;

/// The room's end of a subscription.
#[derive(Debug, Default)]
pub(crate) struct Ear(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    events: VecDeque<Event>,
    /// What came when there was no room, behind the events.
    missed: Option<Gap>,
    waker: Option<Waker>,
}

impl Ear {
    pub(crate) fn hear(&self, event: &Event) {
        let mut heard = self.lock();
        let is_full = heard.events.len() >= MAX_EVENTS;
        match (event, &mut heard.missed) {
            (Event::Gap(Gap { messages: None }), missed @ Some(_)) => {
                *missed = Some(Gap { messages: None });
            }
            (_, Some(Gap { messages })) if is_full => {
                *messages = messages.map(|count| count + 1);
            }
            (_, missed @ None) if is_full => *missed = Some(Gap { messages: Some(1) }),
            (_, missed) => {
                if let Some(gap) = missed.take() {
                    heard.events.push_back(Event::Gap(gap));
                }
                heard.events.push_back(event.clone());
            }
        }
        let waker = heard.waker.take();
        drop(heard);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut heard = self.lock();
        if let Some(event) = heard.events.pop_front() {
            return Poll::Ready(Some(event));
        }
        if let Some(gap) = heard.missed.take() {
            return Poll::Ready(Some(Event::Gap(gap)));
        }
        heard.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        lock(&self.0)
    }
}
