//! One route with all that it inherited.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Response};

use super::{
    deprecation::Deprecation,
    middleware::{AnyMiddleware, Credential},
    reverify::Reverify,
};
#[cfg(feature = "asyncapi")]
use crate::app::asyncapi::Described;
use crate::{
    handler::{AnyHandler, MessageStack, channel::EventSnapshot},
    policy::{AuthRule, Limits, PrincipalCap},
    request::Context,
    session::{RouteCount, Ways},
};

/// What answers a plain request.
pub(crate) type AnyFallback =
    Arc<dyn Fn(Context) -> BoxFuture<'static, Response<Bytes>> + Send + Sync>;

/// What answers a plain request, and where it stands.
pub(crate) struct Fallback {
    pub(crate) answer: AnyFallback,
    /// Behind the route's middleware and authorization.
    pub(crate) is_guarded: bool,
}

/// One route with all that it inherited.
pub(crate) struct RouteEntry {
    pub(crate) pattern: Arc<str>,
    pub(crate) name: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) auth: AuthRule,
    pub(crate) limits: Arc<Limits>,
    pub(crate) middleware: Vec<AnyMiddleware>,
    pub(crate) message_middleware: MessageStack,
    pub(crate) reverify: Option<Reverify>,
    pub(crate) handler: AnyHandler,
    pub(crate) fallback: Option<Fallback>,
    pub(crate) deprecation: Option<Deprecation>,
    /// What every answer of the route says besides.
    pub(crate) headers: HeaderMap,
    /// Clients without sockets are served.
    pub(crate) event_streams: bool,
    pub(crate) principal_cap: Option<PrincipalCap>,
    pub(crate) count: Arc<RouteCount>,
    /// How its requests came.
    pub(crate) ways: Ways,
    #[cfg(feature = "asyncapi")]
    pub(crate) described: Described,
}

impl RouteEntry {
    /// Adds what every answer of the route says besides.
    pub(crate) fn add_headers(&self, answer: &mut HeaderMap) {
        for (name, value) in &self.headers {
            answer.append(name, value.clone());
        }
    }

    /// The events of its handler, inside of all the middleware that runs around them.
    pub(crate) fn events(&self) -> Vec<EventSnapshot> {
        let mut events = self.handler.events();
        for event in events.iter_mut().filter(|event| event.from == "peer") {
            let around = self.message_middleware.names();
            event.middleware.splice(0..0, around);
        }
        events
    }

    /// Where its authenticators find what they verify.
    pub(crate) fn credentials(&self) -> Vec<Credential> {
        let middleware = self.middleware.iter();
        middleware.filter_map(AnyMiddleware::credential).collect()
    }
}

impl std::fmt::Debug for RouteEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RouteEntry")
            .field("pattern", &self.pattern)
            .finish_non_exhaustive()
    }
}
