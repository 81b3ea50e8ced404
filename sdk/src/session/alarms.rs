//! The alarms of many sessions, behind one timer of the runtime's.
//!
//! Everything is changed under one lock. A task of the runtime looks at it, wakes those that are due, and
//! waits for the first of the others; whoever makes another one the first tells it, and what it is told
//! while it is looking is kept for it.

use std::{
    cell::RefCell,
    cmp::Ordering,
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::task::ArcWake;
use tokio::{
    runtime::{self, Handle},
    sync::Notify,
    task::coop::consume_budget,
    time::timeout_at,
};

use super::{clock::now, moment::Moment, shared::Shared};
use crate::message::catch;

thread_local! {
    /// Of the thread and not of all: sessions of others would wait for its lock. And of one runtime:
    /// each has a time of its own.
    static OF_THREAD: RefCell<Option<(runtime::Id, Arc<Alarms<Shared>>)>> = const { RefCell::new(None) };
}

/// Who is to be woken when. A timer of tokio's for each of them takes three times as much memory.
#[derive(Debug)]
pub(super) struct Alarms<T> {
    state: Mutex<State<T>>,
    /// Another alarm is the first now.
    changed: Notify,
}

#[derive(Debug)]
struct State<T> {
    set: BTreeSet<Entry<T>>,
    /// A task waits for the first of them. It ends when there is none.
    is_awaited: bool,
}

/// Sorted by time, and then by whom it wakes, as a pointer.
#[derive(Debug)]
struct Entry<T> {
    at: Moment,
    whom: Arc<T>,
}

impl<T> Default for Alarms<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                set: BTreeSet::new(),
                is_awaited: false,
            }),
            changed: Notify::new(),
        }
    }
}

impl Alarms<Shared> {
    /// Those of this thread and this runtime.
    pub(super) fn of_thread() -> Arc<Self> {
        let runtime = Handle::current().id();
        OF_THREAD.with_borrow_mut(|kept| match kept {
            Some((id, alarms)) if *id == runtime => Arc::clone(alarms),
            _ => {
                let alarms = Arc::<Self>::default();
                *kept = Some((runtime, Arc::clone(&alarms)));
                alarms
            }
        })
    }
}

impl<T: ArcWake + 'static> Alarms<T> {
    /// Wakes it then, by a task of the runtime that this is called in.
    pub(super) fn set(self: &Arc<Self>, at: Moment, whom: &Arc<T>) {
        let entry = Entry::new(at, whom);
        let mut state = self.lock();
        let is_first = state.set.first().is_none_or(|first| entry < *first);
        state.set.insert(entry);
        let is_awaited = std::mem::replace(&mut state.is_awaited, true);
        drop(state);
        if !is_awaited {
            tokio::spawn(ring(Arc::clone(self)));
        } else if is_first {
            self.changed.notify_one();
        }
    }

    /// Forgets an alarm that has not rung.
    pub(super) fn forget(&self, at: Moment, whom: &Arc<T>) {
        let entry = Entry::new(at, whom);
        let mut state = self.lock();
        let was_first = state.set.first() == Some(&entry);
        state.set.remove(&entry);
        drop(state);
        if was_first {
            self.changed.notify_one();
        }
    }

    /// Takes the first out, if it is due.
    fn next(&self, now: Moment) -> Next<T> {
        let mut state = self.lock();
        match state.set.first() {
            Some(first) if first.at > now => return Next::At(first.at),
            Some(_) => {}
            None => state.is_awaited = false,
        }
        state
            .set
            .pop_first()
            .map_or(Next::None, |due| Next::Due(due.whom))
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // The guarded sections only insert, remove and look.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Next<T> {
    Due(Arc<T>),
    At(Moment),
    None,
}

/// Rings every alarm when it is due, until there is none.
async fn ring<T: ArcWake + 'static>(alarms: Arc<Alarms<T>>) {
    loop {
        match alarms.next(Moment::of(now())) {
            Next::Due(whom) => {
                // It may be the last to know of a session that has ended meanwhile. What that held
                // is dropped then, and may be the application's.
                let _ = catch(|| whom.wake());
                consume_budget().await;
            }
            Next::At(first) => {
                let changed = alarms.changed.notified();
                let _ = timeout_at(first.instant().into(), changed).await;
            }
            Next::None => return,
        }
    }
}

impl<T> Entry<T> {
    fn new(at: Moment, whom: &Arc<T>) -> Self {
        let whom = Arc::clone(whom);
        Self { at, whom }
    }

    fn key(&self) -> (Moment, *const T) {
        (self.at, Arc::as_ptr(&self.whom))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
        time::Duration,
    };

    use tokio::time::{Instant, sleep, sleep_until};

    use super::*;

    #[derive(Default)]
    struct Rung(AtomicUsize);

    impl ArcWake for Rung {
        fn wake_by_ref(this: &Arc<Self>) {
            this.0.fetch_add(1, Relaxed);
        }
    }

    impl Rung {
        fn times(&self) -> usize {
            self.0.load(Relaxed)
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn alive_tasks() -> usize {
        Handle::current().metrics().num_alive_tasks()
    }

    #[tokio::test(start_paused = true)]
    async fn each_rings_when_it_is_due_whatever_the_order_they_are_set_in() {
        let alarms = Arc::<Alarms<Rung>>::default();
        let start = Instant::now();
        let all: Vec<_> = (0..100).map(|_| Arc::<Rung>::default()).collect();
        // 37 has no divisor in common with 100: all come, and not in order.
        for at in (1..=100).map(|n| n * 37 % 100) {
            let due = start + SECOND * (at as u32 + 1);
            alarms.set(Moment::of(due.into()), &all[at]);
            // It is waited for meanwhile.
            tokio::task::yield_now().await;
        }
        for seconds in 0..=100 {
            sleep_until(start + SECOND * seconds + SECOND / 2).await;
            let rung = all.iter().filter(|rung| rung.times() == 1).count();
            assert_eq!(rung, seconds as usize);
            assert!(all[..rung].iter().all(|rung| rung.times() == 1));
        }
        assert_eq!(alive_tasks(), 0, "the task that waited has ended");
    }

    #[tokio::test(start_paused = true)]
    async fn a_forgotten_one_does_not_ring_and_is_waited_for_by_nobody() {
        let alarms = Arc::<Alarms<Rung>>::default();
        let (kept, forgotten) = (Arc::<Rung>::default(), Arc::<Rung>::default());
        let start = Instant::now();
        let [sooner, later] = [1, 2].map(|n| Moment::of((start + SECOND * n).into()));
        alarms.set(sooner, &forgotten);
        alarms.set(later, &kept);
        sleep(SECOND / 2).await;
        alarms.forget(sooner, &forgotten);
        assert_eq!(Arc::strong_count(&forgotten), 1);
        sleep(SECOND * 2).await;
        assert_eq!((forgotten.times(), kept.times()), (0, 1));

        alarms.set(Moment::of((start + SECOND * 1000).into()), &kept);
        sleep(SECOND).await;
        assert_eq!(alive_tasks(), 1);
        alarms.forget(Moment::of((start + SECOND * 1000).into()), &kept);
        sleep(SECOND).await;
        assert_eq!(alive_tasks(), 0, "there is nothing to wait for");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_panics_as_it_is_dropped_keeps_the_others_from_nothing() {
        struct Panics;
        impl ArcWake for Panics {
            fn wake_by_ref(_: &Arc<Self>) {
                panic!("the application's");
            }
        }
        let alarms = Arc::<Alarms<Panics>>::default();
        let start = Instant::now();
        let last = Arc::new(Panics);
        for seconds in 1..3 {
            let at = Moment::of((start + SECOND * seconds).into());
            alarms.set(at, &last);
        }
        sleep(SECOND * 3).await;
        assert_eq!(Arc::strong_count(&last), 1, "both have rung");
    }
}
