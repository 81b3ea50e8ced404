//! Who may send an event, how often, and how long serving it may take.

use std::{fmt, sync::Arc, time::Duration};

use super::{call::Call, rate::EventRate};
use crate::message::{Error, ErrorKind, Result};

/// How long an event's function may take, unless it says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(super) struct Terms {
    pub(super) scopes: Vec<String>,
    pub(super) predicate: Option<Predicate>,
    pub(super) rate: Option<EventRate>,
    pub(super) timeout: Duration,
}

type Predicate = Arc<dyn Fn(&Call) -> bool + Send + Sync>;

impl Terms {
    /// Takes the event, or says why not.
    pub(super) fn admit(&self, call: &Call) -> Result<()> {
        let principal = call.context().principal();
        let has_scope = |scope: &String| principal.is_some_and(|who| who.has_scope(scope));
        let missing = self.scopes.iter().find(|scope| !has_scope(scope));
        let is_allowed = self.predicate.as_ref().is_none_or(|allows| allows(call));
        if missing.is_some() || !is_allowed {
            let what = missing.map_or_else(
                || "you may not send this event here and now".to_owned(),
                |scope| format!("this event needs the scope {scope}; connect with it"),
            );
            return Err(Error::new(ErrorKind::Forbidden, "WHARF_EVENT_DENIED", what));
        }
        let Some(rate) = &self.rate else {
            return Ok(());
        };
        if rate.take(call, tokio::time::Instant::now().into_std()) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::RateLimited,
            "WHARF_RATE_LIMITED",
            format!(
                "at most {} of these events are taken a second; send fewer",
                rate.events_per_second()
            ),
        ))
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            scopes: Vec::new(),
            predicate: None,
            rate: None,
            timeout: TIMEOUT,
        }
    }
}

impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terms")
            .field("scopes", &self.scopes)
            .field("rate", &self.rate)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
