//! What happens, as metrics.

use metrics::{counter, gauge, histogram};

use crate::{
    app::observer::{Closed, Observer, Rejection},
    message::Error,
    session::SessionInfo,
};

/// Counts through the [`metrics`](https://docs.rs/metrics) facade.
///
/// Labels are low in cardinality: route pattern, driver, status, close code, initiator, error
/// code. Names begin with a prefix, `wharf` unless another is given:
///
/// | name | kind |
/// |---|---|
/// | `wharf_sessions` | gauge: live sessions; falls when a session is dropped, on every path |
/// | `wharf_upgrades_total`, `wharf_rejections_total` | counters |
/// | `wharf_closes_total`, `wharf_failures_total` | counters |
/// | `wharf_messages_in_total`, `wharf_messages_out_total`, `wharf_messages_dropped_total` | counters, added when a session ends |
/// | `wharf_session_seconds` | histogram |
#[derive(Debug, Clone)]
pub struct Metrics {
    sessions: String,
    upgrades: String,
    rejections: String,
    closes: String,
    failures: String,
    messages_in: String,
    messages_out: String,
    messages_dropped: String,
    session_seconds: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::with_prefix("wharf")
    }
}

impl Metrics {
    /// Counts under names that begin with this prefix.
    pub fn with_prefix(prefix: &str) -> Self {
        let name = |name: &str| format!("{prefix}_{name}");
        Self {
            sessions: name("sessions"),
            upgrades: name("upgrades_total"),
            rejections: name("rejections_total"),
            closes: name("closes_total"),
            failures: name("failures_total"),
            messages_in: name("messages_in_total"),
            messages_out: name("messages_out_total"),
            messages_dropped: name("messages_dropped_total"),
            session_seconds: name("session_seconds"),
        }
    }
}

fn of(session: &SessionInfo) -> [(&'static str, String); 2] {
    [
        ("route", session.route.to_string()),
        ("driver", session.driver.to_owned()),
    ]
}

impl Observer for Metrics {
    fn upgraded(&self, session: &SessionInfo) {
        counter!(self.upgrades.clone(), &of(session)).increment(1);
        gauge!(self.sessions.clone(), &of(session)).increment(1.0);
    }

    fn rejected(&self, rejection: &Rejection<'_>) {
        // A path that matched nothing has no pattern: paths themselves are without number.
        let labels = [
            ("route", rejection.context.route().to_owned()),
            ("driver", rejection.context.driver().to_owned()),
            ("status", rejection.status.as_str().to_owned()),
        ];
        counter!(self.rejections.clone(), &labels).increment(1);
    }

    fn closed(&self, session: &SessionInfo, closed: &Closed<'_>) {
        let [route, driver] = of(session);
        gauge!(self.sessions.clone(), &[route.clone(), driver.clone()]).decrement(1.0);
        let outcome = closed.outcome;
        let labels = [
            route,
            driver,
            ("code", code_label(outcome.code.as_u16())),
            ("initiator", outcome.initiator.as_str().to_owned()),
        ];
        counter!(self.closes.clone(), &labels).increment(1);
        let counts = closed.counts;
        counter!(self.messages_in.clone(), &of(session)).increment(counts.messages_in);
        counter!(self.messages_out.clone(), &of(session)).increment(counts.messages_out);
        counter!(self.messages_dropped.clone(), &of(session)).increment(counts.messages_dropped);
        histogram!(self.session_seconds.clone(), &of(session))
            .record(closed.duration.as_secs_f64());
    }

    fn failed(&self, session: &SessionInfo, error: &Error) {
        let [route, driver] = of(session);
        let labels = [route, driver, ("error", error.code().to_owned())];
        counter!(self.failures.clone(), &labels).increment(1);
    }
}

/// Peers choose their codes: those of the application's own range share a label.
fn code_label(code: u16) -> String {
    match code {
        3000..=3999 => "3xxx".to_owned(),
        4000..=4999 => "4xxx".to_owned(),
        code => code.to_string(),
    }
}
