//! Tracing spans around the decision and around the session.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tracing::{Instrument, Span};

use super::RequestId;
use crate::{
    app::middleware::{Middleware, Next},
    message::Result,
    request::{Context, Response},
    session::SessionInfo,
};

/// Puts two spans around a connection, so that what is logged within carries its ids: `upgrade`
/// around the rest of the chain, and `session` around the handler's whole run, which follows from
/// it.
///
/// Both have the connection's id, the route's pattern, the driver's name and, behind a
/// [`RequestIdLayer`](super::RequestIdLayer), the request's id; `session` has the peer's address,
/// the subprotocol and the principal's id besides. Never headers or the query: they carry
/// credentials. Where nobody listens for spans, neither costs anything a message.
///
/// ```
/// use wharf_sdk::{App, middleware::{RequestIdLayer, Trace}};
///
/// let app = App::builder().middleware(RequestIdLayer).middleware(Trace).build();
/// # let _ = app;
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Trace;

#[async_trait]
impl Middleware for Trace {
    async fn handle(&self, mut context: Context, next: Next) -> Result<Response> {
        let span = tracing::info_span!(
            "upgrade",
            connection = %context.id(),
            route = context.route(),
            driver = context.driver(),
            request_id = context.extension::<RequestId>().map(|id| &*id.0),
        );
        context.insert(Traced(Arc::new(Mutex::new(Some(span.clone())))));
        Ok(next.run(context).instrument(span).await)
    }
}

/// The span of the upgrade, until the session's follows from it.
#[derive(Clone)]
struct Traced(Arc<Mutex<Option<Span>>>);

/// The span around a session's handler, if [`Trace`] was in its chain and somebody listens.
pub(crate) fn session_span(context: &Context, session: &SessionInfo) -> Option<Span> {
    let Traced(upgrade) = context.extension::<Traced>()?;
    let upgrade = upgrade
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    let span = tracing::info_span!(
        parent: None,
        "session",
        connection = %session.id(),
        route = session.route(),
        driver = session.driver(),
        peer = session.peer().map(tracing::field::display),
        subprotocol = session.subprotocol(),
        principal = session.principal(),
        request_id = context.extension::<RequestId>().map(|id| &*id.0),
    );
    if let Some(upgrade) = upgrade {
        span.follows_from(&upgrade);
    }
    (!span.is_disabled()).then_some(span)
}
