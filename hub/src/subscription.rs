//! Hearing a room inside the server.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures::Stream;

use crate::{Event, Gap, RoomName, cell::Stay};

/// How many events wait for a subscriber; more are a gap.
pub(crate) const MAX_EVENTS: usize = 1024;

/// A stream of what happens in a room: made by [`Room::subscribe`](crate::Room::subscribe). It ends
/// with the hub. Dropping it ends the subscription.
///
/// It holds at most 1,024 events. A subscriber that falls behind finds an [`Event::Gap`] in the
/// place of what it missed.
///
/// # Cancel safety
///
/// `next` is cancel-safe.
pub struct Subscription {
    ear: Arc<Ear>,
    stay: Stay,
}

impl Subscription {
    pub(crate) fn new(stay: Stay) -> Self {
        let ear = Arc::new(Ear::default());
        stay.cell.lock().ears.push(Arc::clone(&ear));
        Self { ear, stay }
    }

    /// The room.
    pub fn room(&self) -> &RoomName {
        &self.stay.cell.name
    }
}

impl Stream for Subscription {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut heard = self.ear.lock();
        if let Some(event) = heard.events.pop_front() {
            return Poll::Ready(Some(event));
        }
        if let Some(gap) = heard.missed.take() {
            return Poll::Ready(Some(Event::Gap(gap)));
        }
        heard.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.stay.cell.lock();
        state.ears.retain(|ear| !Arc::ptr_eq(ear, &self.ear));
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("room", self.room())
            .finish_non_exhaustive()
    }
}

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

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
