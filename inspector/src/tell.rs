//! What happens, to those who watch.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde_json::{Value, json};
use tokio::sync::broadcast;
use wharf_sdk::{
    Error, Observer, SessionInfo,
    observer::{Closed, Rejection},
};

/// How many events a slow watcher may be behind; what it misses is counted.
const EVENTS: usize = 512;

/// The observer: counts what connections do, and tells events where somebody listens.
#[derive(Clone)]
pub(crate) struct Tell(Arc<Inner>);

struct Inner {
    counters: Counters,
    events: broadcast::Sender<Arc<Value>>,
}

/// What ended sessions moved, and what connections did. They only grow.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) connects: AtomicU64,
    pub(crate) rejections: AtomicU64,
    pub(crate) closes: AtomicU64,
    pub(crate) messages_in: AtomicU64,
    pub(crate) messages_out: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
}

impl Default for Tell {
    fn default() -> Self {
        Self(Arc::new(Inner {
            counters: Counters::default(),
            events: broadcast::channel(EVENTS).0,
        }))
    }
}

impl Tell {
    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<Value>> {
        self.0.events.subscribe()
    }

    /// Tells an event, which is made only where somebody listens.
    pub(crate) fn event(&self, make: impl FnOnce() -> Value) {
        if self.0.events.receiver_count() > 0 {
            // Who left meanwhile misses nothing.
            let _ = self.0.events.send(Arc::new(make()));
        }
    }
}

fn of(event: &'static str, session: &SessionInfo) -> Value {
    json!({
        "event": event,
        "id": session.id.to_string(),
        "route": &*session.route,
        "principal": session.principal.as_deref(),
    })
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

impl Observer for Tell {
    fn upgraded(&self, session: &SessionInfo) {
        add(&self.counters().connects, 1);
        self.event(|| of("upgraded", session));
    }

    fn rejected(&self, rejection: &Rejection<'_>) {
        add(&self.counters().rejections, 1);
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
        let (counters, counts) = (self.counters(), closed.counts);
        add(&counters.closes, 1);
        add(&counters.messages_in, counts.messages_in);
        add(&counters.messages_out, counts.messages_out);
        add(&counters.bytes_in, counts.bytes_in);
        add(&counters.bytes_out, counts.bytes_out);
        self.event(|| {
            let mut event = of("closed", session);
            event["code"] = closed.outcome.code.as_u16().into();
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
}
