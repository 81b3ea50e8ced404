//! A tracing span around the decision.

use async_trait::async_trait;
use tracing::Instrument;

use super::RequestId;
use crate::{
    app::middleware::{Middleware, Next},
    message::Result,
    request::{Context, Response},
};

/// Runs the rest of the chain inside a span named `upgrade`, with the connection's id, the route's
/// pattern and, behind a [`RequestIdLayer`](super::RequestIdLayer), the request's id. Never
/// headers or the query: they carry credentials.
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
    async fn handle(&self, context: Context, next: Next) -> Result<Response> {
        let span = tracing::info_span!(
            "upgrade",
            connection = %context.id(),
            route = context.route(),
            driver = context.driver(),
            request_id = context.extension::<RequestId>().map(|id| id.0.as_str()),
        );
        Ok(next.run(context).instrument(span).await)
    }
}
