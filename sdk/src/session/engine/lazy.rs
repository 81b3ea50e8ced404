//! Queues that take no room of a session's until something is in them.

use std::{
    collections::VecDeque,
    ops::{Deref, DerefMut},
};

/// A queue behind a pointer, made when something is first put in.
#[derive(Debug, Clone)]
#[expect(
    clippy::box_collection,
    reason = "most sessions have nothing in most queues"
)]
pub(crate) struct LazyDeque<T>(Option<Box<VecDeque<T>>>);

impl<T> LazyDeque<T> {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Whether there is a queue, be it empty.
    pub(crate) fn is_made(&self) -> bool {
        self.0.is_some()
    }

    /// Like the queue's own, and makes none.
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        self.0.as_mut()?.pop_front()
    }

    /// Like the queue's own, and makes none.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flat_map(|queue| queue.iter_mut())
    }

    /// Gives memory back beyond what this many items need; all of it, if it is for none and there
    /// are none.
    pub(crate) fn shrink_to(&mut self, items: usize) {
        if let Some(queue) = &mut self.0 {
            if items == 0 && queue.is_empty() {
                self.0 = None;
            } else {
                queue.shrink_to(items);
            }
        }
    }
}

impl<T> Default for LazyDeque<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: 'static> Deref for LazyDeque<T> {
    type Target = VecDeque<T>;

    fn deref(&self) -> &VecDeque<T> {
        match &self.0 {
            Some(queue) => queue,
            None => const { &VecDeque::new() },
        }
    }
}

impl<T: 'static> DerefMut for LazyDeque<T> {
    fn deref_mut(&mut self) -> &mut VecDeque<T> {
        self.0.get_or_insert_default()
    }
}

impl<T> IntoIterator for LazyDeque<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::option::IntoIter<VecDeque<T>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.map(|queue| *queue).into_iter().flatten()
    }
}
