//! One look at all sessions, shared by those who watch.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use wharf_sdk::{AppHandle, ConnectionId, Figures, Sender};

use crate::rates::{Moved, Rates};

/// How often all sessions are looked at while somebody watches, however many do,
pub(crate) const EVERY: Duration = Duration::from_secs(1);

/// unless a look takes long: then so many times longer goes by, so that looking takes half a percent
/// of one processor and not more,
const PAUSE: u32 = 200;

/// up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// One look at all sessions.
pub(crate) struct Look {
    pub(crate) sessions: Vec<Seen>,
}

/// A session, and how it was doing.
pub(crate) type Seen = (Sender, Figures);

/// The looks so far.
#[derive(Default)]
pub(crate) struct Looks(Mutex<State>);

#[derive(Default)]
struct State {
    last: Option<Last>,
    watchers: usize,
}

struct Last {
    at: Instant,
    /// From when on the next is worth its while.
    next: Instant,
    look: Arc<Look>,
    /// All that had been moved.
    moved: Moved,
}

impl Looks {
    /// A look that is fresh: taken now, unless that was done a moment ago.
    pub(crate) fn look(&self, app: &AppHandle, rates: &Rates) -> Arc<Look> {
        let mut state = self.lock();
        let now = Instant::now();
        if let Some(last) = &state.last
            && now < last.next
        {
            return Arc::clone(&last.look);
        }
        // On the system's clock, which is what looking takes.
        let began = std::time::Instant::now();
        let sessions: Vec<Seen> = app
            .sessions()
            .into_iter()
            .map(|session| {
                let figures = session.figures();
                (session, figures)
            })
            .collect();
        let moved = sessions
            .iter()
            .fold(rates.ended(), |sum, (_, figures)| sum.plus(moved(figures)));
        if let Some(last) = &state.last {
            rates.moved(moved.minus(last.moved), now - last.at);
        }
        // A little early is on time.
        let pause = (began.elapsed() * PAUSE).clamp(EVERY.mul_f64(0.9), LONGEST_PAUSE);
        let look = Arc::new(Look { sessions });
        state.last = Some(Last {
            at: now,
            next: now + pause,
            look: Arc::clone(&look),
            moved,
        });
        look
    }

    /// Counts one who watches, until they leave.
    pub(crate) fn sit_down(self: &Arc<Self>) -> Seat {
        self.lock().watchers += 1;
        Seat(Arc::clone(self))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is inside is figures, valid whatever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Look {
    pub(crate) fn find(&self, id: ConnectionId) -> Option<&Seen> {
        self.sessions.iter().find(|(session, _)| session.id() == id)
    }
}

fn moved(figures: &Figures) -> Moved {
    let counts = &figures.counts;
    Moved {
        messages_in: counts.messages_in,
        messages_out: counts.messages_out,
        bytes_in: counts.bytes_in,
        bytes_out: counts.bytes_out,
    }
}

/// One who watches. The last to leave lets go of the sessions.
pub(crate) struct Seat(Arc<Looks>);

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.watchers -= 1;
        if state.watchers == 0 {
            state.last = None;
        }
    }
}
