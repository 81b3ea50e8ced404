//! What happens, as `tracing` events.

use crate::{
    app::observer::{Closed, Intervention, Observer, Rejection},
    message::Error,
    session::SessionInfo,
};

/// Writes an event for everything that happens: connection, route, outcome, error codes. Never
/// payloads, headers or queries.
///
/// Expected errors are at debug level, others at error level with their private causes.
///
/// ```
/// use wharf_sdk::{App, observer::Log};
///
/// let app = App::builder().observer(Log).build();
/// # let _ = app;
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Log;

impl Observer for Log {
    fn upgraded(&self, session: &SessionInfo) {
        tracing::info!(
            connection = %session.id(),
            route = session.route(),
            driver = session.driver(),
            peer = session.peer().map(tracing::field::display),
            subprotocol = session.subprotocol(),
            "upgraded"
        );
    }

    fn rejected(&self, rejection: &Rejection<'_>) {
        let context = rejection.context;
        tracing::info!(
            connection = %context.id(),
            route = context.route(),
            driver = context.driver(),
            peer = context.peer().map(tracing::field::display),
            status = rejection.status.as_u16(),
            code = rejection.error.map(Error::code),
            phase = rejection.error.and_then(Error::phase).map(tracing::field::display),
            "rejected"
        );
        if let Some(error) = rejection.error.filter(|error| !error.is_expected()) {
            tracing::error!(
                connection = %context.id(),
                route = context.route(),
                code = error.code(),
                cause = error.cause_chain(),
                "an upgrade failed"
            );
        }
    }

    fn closed(&self, session: &SessionInfo, closed: &Closed<'_>) {
        tracing::info!(
            connection = %session.id(),
            route = session.route(),
            code = closed.outcome.code.as_u16(),
            clean = closed.outcome.clean,
            initiator = closed.outcome.initiator.as_str(),
            duration_ms = u64::try_from(closed.duration.as_millis()).unwrap_or(u64::MAX),
            messages_in = closed.counts.messages_in,
            messages_out = closed.counts.messages_out,
            messages_dropped = closed.counts.messages_dropped,
            "closed"
        );
    }

    fn intervened(&self, intervention: &Intervention<'_>) {
        tracing::warn!(
            action = intervention.action,
            by = intervention.by,
            on = intervention.on,
            sessions = intervention.sessions,
            "intervened"
        );
    }

    fn failed(&self, session: &SessionInfo, error: &Error) {
        let phase = error.phase().map(tracing::field::display);
        if error.is_expected() {
            tracing::debug!(
                connection = %session.id(),
                route = session.route(),
                method = session.method(),
                path = session.path(),
                request = session.request_id(),
                code = error.code(),
                phase,
                "failed"
            );
        } else {
            tracing::error!(
                connection = %session.id(),
                route = session.route(),
                method = session.method(),
                path = session.path(),
                request = session.request_id(),
                code = error.code(),
                phase,
                cause = error.cause_chain(),
                "failed"
            );
        }
    }
}
