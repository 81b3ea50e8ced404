//! What the observers were told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    app::observer::{Closed, Observer, Rejection},
    message::{CloseOutcome, Error},
    session::SessionInfo,
};

/// An observer that remembers. Clones share what they remember.
///
/// ```
/// use wharf_sdk::testing::{Event, Recorder, TestHost};
/// # use wharf_sdk::{App, Result};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let recorder = Recorder::default();
/// let app = App::builder().observer(recorder.clone()).build()?;
///
/// TestHost::new(app).connect("/nowhere").expect_rejected(404).await;
///
/// let code = Some("WHARF_NOT_FOUND".to_owned());
/// assert_eq!(recorder.events(), [Event::Rejected(String::new(), 404, code)]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    events: Arc<Mutex<Vec<Event>>>,
}

/// One thing that observers were told.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A request on this route became a socket.
    Upgraded(String),
    /// A request on this route was answered with this status; the code is the error's, if one
    /// caused it.
    Rejected(String, u16, Option<String>),
    /// A session on this route ended.
    Closed(String, CloseOutcome),
    /// A session on this route had an error with this code.
    Failed(String, String),
}

impl Recorder {
    /// All events so far, oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.lock().clone()
    }

    /// The outcomes so far, oldest first.
    pub fn outcomes(&self) -> Vec<CloseOutcome> {
        let outcome = |event: &Event| match event {
            Event::Closed(_, outcome) => Some(outcome.clone()),
            _ => None,
        };
        self.lock().iter().filter_map(outcome).collect()
    }

    fn push(&self, event: Event) {
        self.lock().push(event);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recorder {
    fn upgraded(&self, session: &SessionInfo) {
        self.push(Event::Upgraded(session.route().to_string()));
    }

    fn rejected(&self, rejection: &Rejection<'_>) {
        let code = rejection.error.map(|error| error.code().to_owned());
        let route = rejection.context.route().to_owned();
        self.push(Event::Rejected(route, rejection.status.as_u16(), code));
    }

    fn closed(&self, session: &SessionInfo, closed: &Closed<'_>) {
        self.push(Event::Closed(
            session.route().to_string(),
            closed.outcome.clone(),
        ));
    }

    fn failed(&self, session: &SessionInfo, error: &Error) {
        self.push(Event::Failed(
            session.route().to_string(),
            error.code().to_owned(),
        ));
    }
}
