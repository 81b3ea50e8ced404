//! An encoding of a shared message, made once.

use std::{
    ops::ControlFlow,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

/// Made by whoever needs it first, and outside of any lock. A large one is made slice by slice: all
/// who need it work on the same one in turns, and only for as long as a slice takes does anyone
/// wait for another thread.
#[derive(Default)]
pub(crate) struct Encoding(Mutex<State>);

/// How far an encoding is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// How much of the payload is done.
    pub(crate) done_bytes: usize,
    /// What came of it.
    pub(crate) made: Vec<u8>,
}

enum State {
    /// Nobody is at it.
    Rests(Progress),
    /// Somebody is, and tells these when the slice is done.
    IsAtWork(Vec<Waker>),
    Made(Bytes),
}

impl Default for State {
    fn default() -> Self {
        Self::Rests(Progress::default())
    }
}

impl Encoding {
    /// The encoding; made here and now if nobody has. Two threads that need it at the same moment
    /// may both make it.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> Bytes) -> Bytes {
        if let State::Made(made) = &*self.lock() {
            return made.clone();
        }
        let made = make();
        *self.lock() = State::Made(made.clone());
        made
    }

    /// The encoding, if it is made. Else `go_on` makes a slice of it, and the answer is nothing.
    /// Pending while another thread is at one.
    pub(crate) fn poll_made(
        &self,
        cx: &Context<'_>,
        go_on: impl FnOnce(Progress) -> ControlFlow<Bytes, Progress>,
    ) -> Poll<Option<Bytes>> {
        let progress = {
            let mut state = self.lock();
            match &mut *state {
                State::Made(made) => return Poll::Ready(Some(made.clone())),
                State::IsAtWork(waiting) => {
                    if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                        waiting.push(cx.waker().clone());
                    }
                    return Poll::Pending;
                }
                State::Rests(progress) => {
                    let progress = std::mem::take(progress);
                    *state = State::IsAtWork(Vec::new());
                    progress
                }
            }
        };
        // A panic inside begins it anew, for others to try.
        let mut work = Work {
            encoding: self,
            next: State::default(),
        };
        match go_on(progress) {
            ControlFlow::Continue(progress) => {
                work.next = State::Rests(progress);
                Poll::Ready(None)
            }
            ControlFlow::Break(made) => {
                work.next = State::Made(made.clone());
                Poll::Ready(Some(made))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The guarded sections only move values.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slice in the making.
struct Work<'a> {
    encoding: &'a Encoding,
    /// What is true behind it.
    next: State,
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        let next = std::mem::take(&mut self.next);
        let before = std::mem::replace(&mut *self.encoding.lock(), next);
        if let State::IsAtWork(waiting) = before {
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn one_more(mut progress: Progress) -> ControlFlow<Bytes, Progress> {
        progress.done_bytes += 1;
        match progress.done_bytes {
            3 => ControlFlow::Break(Bytes::from_static(b"made")),
            _ => ControlFlow::Continue(progress),
        }
    }

    #[test]
    fn whoever_has_a_turn_goes_on_with_it() {
        let encoding = Encoding::default();
        let cx = Context::from_waker(Waker::noop());
        for made in [None, None, Some("made".into()), Some("made".into())] {
            assert_eq!(encoding.poll_made(&cx, one_more), Poll::Ready(made));
        }
        assert_eq!(encoding.get_or_make(|| panic!("made already")), "made");
    }

    #[test]
    fn others_are_told_when_a_slice_is_done() {
        let told = std::sync::Arc::new(Told::default());
        let waker = Waker::from(std::sync::Arc::clone(&told));
        let encoding = Encoding::default();
        let cx = Context::from_waker(&waker);
        let _ = encoding.poll_made(&cx, |progress| {
            // As another thread would meanwhile; once told, it is told once.
            for _ in 0..2 {
                assert_eq!(encoding.poll_made(&cx, one_more), Poll::Pending);
            }
            one_more(progress)
        });
        assert_eq!(told.0.load(std::sync::atomic::Ordering::Relaxed), 1);
    }

    #[test]
    fn a_panic_leaves_it_to_others() {
        let encoding = Encoding::default();
        let cx = Context::from_waker(Waker::noop());
        let panics = AssertUnwindSafe(|| encoding.poll_made(&cx, |_| panic!("in the middle")));
        catch_unwind(panics).expect_err("it panics");
        assert_eq!(encoding.poll_made(&cx, one_more), Poll::Ready(None));
    }

    #[derive(Default)]
    struct Told(std::sync::atomic::AtomicU32);

    impl std::task::Wake for Told {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}
