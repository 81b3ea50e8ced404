//! Queues that take no room of a session's until something is in them.

use std::{
    collections::VecDeque,
    ops::{Deref, DerefMut},
};

/// A queue behind a pointer, made when something is first put in. `B` is what is known of it beside
/// what is in it.
#[derive(Debug, Clone)]
pub(crate) struct LazyDeque<T, B = ()>(Option<Box<Made<T, B>>>);

#[derive(Debug, Clone)]
struct Made<T, B> {
    queue: VecDeque<T>,
    beside: B,
}

impl<T, B: Default> LazyDeque<T, B> {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Whether there is a queue, be it empty.
    pub(crate) fn is_made(&self) -> bool {
        self.0.is_some()
    }

    /// Like the queue's own, and makes none.
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        self.0.as_mut()?.queue.pop_front()
    }

    /// Like the queue's own, and makes none.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flat_map(|made| made.queue.iter_mut())
    }

    /// What is known beside: the default, where there is no queue.
    #[inline]
    pub(crate) fn beside(&self) -> B
    where
        B: Copy,
    {
        match &self.0 {
            Some(made) => made.beside,
            None => B::default(),
        }
    }

    /// The same, to be changed, if there is a queue.
    #[inline]
    pub(crate) fn beside_mut(&mut self) -> Option<&mut B> {
        self.0.as_mut().map(|made| &mut made.beside)
    }

    /// Puts something in, and says what is known beside, to be changed.
    #[inline]
    pub(crate) fn push(&mut self, item: T) -> &mut B {
        let made = self.made();
        made.queue.push_back(item);
        &mut made.beside
    }

    /// Gives memory back beyond what this many items need; all of it, if it is for none and there
    /// are none.
    pub(crate) fn shrink_to(&mut self, items: usize) {
        if let Some(made) = &mut self.0 {
            if items == 0 && made.queue.is_empty() {
                self.0 = None;
            } else {
                made.queue.shrink_to(items);
            }
        }
    }

    #[inline]
    fn made(&mut self) -> &mut Made<T, B> {
        self.0.get_or_insert_with(|| {
            Box::new(Made {
                queue: VecDeque::new(),
                beside: B::default(),
            })
        })
    }
}

impl<T, B: Default> Default for LazyDeque<T, B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: 'static, B> Deref for LazyDeque<T, B> {
    type Target = VecDeque<T>;

    fn deref(&self) -> &VecDeque<T> {
        match &self.0 {
            Some(made) => &made.queue,
            None => const { &VecDeque::new() },
        }
    }
}

impl<T: 'static, B: Default> DerefMut for LazyDeque<T, B> {
    fn deref_mut(&mut self) -> &mut VecDeque<T> {
        &mut self.made().queue
    }
}

impl<T, B> IntoIterator for LazyDeque<T, B> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::option::IntoIter<VecDeque<T>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.map(|made| made.queue).into_iter().flatten()
    }
}
