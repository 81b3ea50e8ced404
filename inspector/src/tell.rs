//! What happens, to those who watch.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::broadcast;
use wharf_sdk::{
    Error, Observer, SessionInfo,
    observer::{Closed, Intervention, Rejection},
};

use crate::rates::{Moved, Rates};

/// How many events a slow watcher may be behind; what it misses is counted.
const EVENTS: usize = 512;

/// The observer: counts what connections do, and tells events where somebody listens.
#[derive(Clone)]
pub(crate) struct Tell(Arc<Inner>);

struct Inner {
    rates: Rates,
    events: broadcast::Sender<Arc<Value>>,
}

impl Default for Tell {
    fn default() -> Self {
        Self(Arc::new(Inner {
            rates: Rates::default(),
            events: broadcast::channel(EVENTS).0,
        }))
    }
}

impl Tell {
    pub(crate) fn rates(&self) -> &Rates {
        &self.0.rates
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<Value>> {
        self.0.events.subscribe()
    }

    /// Tells an event, which is made only where somebody listens.
    fn event(&self, make: impl FnOnce() -> Value) {
        if self.0.events.receiver_count() > 0 {
            // Who left meanwhile misses nothing.
            let _ = self.0.events.send(Arc::new(make()));
        }
    }
}

fn of(event: &'static str, session: &SessionInfo) -> Value {
    json!({
        "event": event,
        "id": session.id().to_string(),
        "route": session.route(),
        "principal": session.principal(),
    })
}

impl Observer for Tell {
    fn upgraded(&self, session: &SessionInfo) {
        self.rates().connected();
        self.event(|| of("upgraded", session));
    }

    fn rejected(&self, rejection: &Rejection<'_>) {
        // What middleware answers with has no code but its status.
        let code = rejection
            .error
            .map_or(rejection.status.as_str(), Error::code);
        self.rates().rejected(code);
        self.event(|| {
            json!({
                "event": "rejected",
                "id": rejection.context.id().to_string(),
                "route": rejection.context.route(),
                "code": rejection.status.as_u16(),
                "error": rejection.error.map(Error::code),
            })
        });
    }

    fn closed(&self, session: &SessionInfo, closed: &Closed<'_>) {
        let moved = Moved {
            messages_in: closed.counts.messages_in,
            messages_out: closed.counts.messages_out,
            bytes_in: closed.counts.bytes_in,
            bytes_out: closed.counts.bytes_out,
        };
        let code = closed.outcome.code.as_u16();
        self.rates().closed(&code.to_string(), moved);
        self.event(|| {
            let mut event = of("closed", session);
            event["code"] = code.into();
            event["reason"] = closed.outcome.reason.to_string().into();
            event["initiator"] = closed.outcome.initiator.as_str().into();
            event
        });
    }

    fn failed(&self, session: &SessionInfo, error: &Error) {
        self.event(|| {
            let mut event = of("failed", session);
            event["error"] = error.code().into();
            event
        });
    }

    fn intervened(&self, intervention: &Intervention<'_>) {
        self.event(|| {
            json!({
                "event": "intervened",
                "action": intervention.action,
                "by": intervention.by,
                "on": intervention.on,
                "sessions": intervention.sessions,
            })
        });
    }
}
