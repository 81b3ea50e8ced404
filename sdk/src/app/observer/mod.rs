//! Who hears how it went.

#[cfg(feature = "metrics")]
mod handler_time;
mod log;
#[cfg(feature = "metrics")]
mod metrics;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use http::StatusCode;

#[cfg(feature = "metrics")]
pub(crate) use self::handler_time::{Timed, handler_histogram};
pub use self::log::Log;
#[cfg(feature = "metrics")]
pub use self::{handler_time::HandlerTime, metrics::Metrics};
use crate::{
    message::{CloseOutcome, Error},
    request::Context,
    session::{Counts, SessionInfo},
};

/// Is told what happened, after it happened.
///
/// Observers run in the order in which they were added, cannot change a result, and one that
/// panics harms neither the others nor the session. They run on the connection's task: hand slow
/// work to a task of your own.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
/// use wharf_sdk::{App, Observer, SessionInfo, observer::Closed};
///
/// #[derive(Clone, Default)]
/// struct Visits(Arc<AtomicUsize>);
///
/// impl Observer for Visits {
///     fn upgraded(&self, _: &SessionInfo) {
///         self.0.fetch_add(1, Ordering::Relaxed);
///     }
///
///     fn closed(&self, session: &SessionInfo, closed: &Closed<'_>) {
///         println!("{} stayed {:?} on {}", session.id(), closed.duration, session.route());
///     }
/// }
///
/// let visits = Visits::default();
/// let app = App::builder().observer(visits.clone()).build();
/// # let _ = app;
/// ```
pub trait Observer: Send + Sync + 'static {
    /// A request became a socket.
    fn upgraded(&self, session: &SessionInfo) {
        let _ = session;
    }

    /// A request was refused, by a check, a middleware or an error.
    fn rejected(&self, rejection: &Rejection<'_>) {
        let _ = rejection;
    }

    /// A session ended. Told exactly once for every session that was `upgraded`.
    fn closed(&self, session: &SessionInfo, closed: &Closed<'_>) {
        let _ = (session, closed);
    }

    /// Something failed inside a session: its handler, the peer's protocol, a timer or a limit.
    fn failed(&self, session: &SessionInfo, error: &Error) {
        let _ = (session, error);
    }

    /// Somebody who runs the app stepped in.
    fn intervened(&self, intervention: &Intervention<'_>) {
        let _ = intervention;
    }
}

/// What somebody who runs the app did to it, such as closing a session by hand. Told with
/// [`AppHandle::tell`](crate::AppHandle::tell).
#[non_exhaustive]
#[derive(Debug, Clone, Copy)]
pub struct Intervention<'a> {
    /// What, in a word: `close-session`.
    pub action: &'a str,
    /// Who: a principal's id.
    pub by: &'a str,
    /// To which session, principal or room.
    pub on: &'a str,
    /// How many sessions it reached.
    pub sessions: usize,
}

impl<'a> Intervention<'a> {
    /// Somebody did something to somebody.
    pub fn new(action: &'a str, by: &'a str, on: &'a str, sessions: usize) -> Self {
        Self {
            action,
            by,
            on,
            sessions,
        }
    }
}

/// A request that did not become a socket.
#[non_exhaustive]
#[derive(Debug)]
pub struct Rejection<'a> {
    /// The request, with what middleware learned of it.
    pub context: &'a Context,
    /// The status that answered it.
    pub status: StatusCode,
    /// The error, unless a middleware answered with a response of its own.
    pub error: Option<&'a Error>,
}

/// How a session ended.
#[non_exhaustive]
#[derive(Debug)]
pub struct Closed<'a> {
    /// Code, reason, clean or not, and who began it.
    pub outcome: &'a CloseOutcome,
    /// The session's age.
    pub duration: Duration,
    /// What it moved.
    pub counts: Counts,
}

/// All observers of an app, isolated from each other.
#[derive(Clone)]
pub(crate) struct Observers(Arc<[Arc<dyn Observer>]>);

impl Observers {
    pub(crate) fn new(observers: Vec<Arc<dyn Observer>>) -> Self {
        Self(observers.into())
    }

    pub(crate) fn upgraded(&self, session: &SessionInfo) {
        self.each(|observer| observer.upgraded(session));
    }

    pub(crate) fn rejected(&self, context: &Context, status: StatusCode, error: Option<&Error>) {
        self.each(|observer| {
            observer.rejected(&Rejection {
                context,
                status,
                error,
            });
        });
    }

    pub(crate) fn closed(
        &self,
        session: &SessionInfo,
        outcome: &CloseOutcome,
        duration: Duration,
        counts: Counts,
    ) {
        self.each(|observer| {
            let closed = Closed {
                outcome,
                duration,
                counts,
            };
            observer.closed(session, &closed);
        });
    }

    pub(crate) fn failed(&self, session: &SessionInfo, error: &Error) {
        self.each(|observer| observer.failed(session, error));
    }

    pub(crate) fn intervened(&self, intervention: &Intervention<'_>) {
        self.each(|observer| observer.intervened(intervention));
    }

    fn each(&self, tell: impl Fn(&dyn Observer)) {
        for observer in self.0.iter() {
            if catch_unwind(AssertUnwindSafe(|| tell(&**observer))).is_err() {
                tracing::error!("an observer panicked; the others and the session go on");
            }
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Observers({})", self.0.len())
    }
}
