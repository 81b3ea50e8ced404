//! Hearing a room inside the server.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::Stream;

use crate::{
    cells::Ear,
    keep::Stay,
    words::{Event, RoomName},
};

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
        self.ear.poll_next(cx)
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
