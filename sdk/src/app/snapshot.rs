//! An app's routes, as data.

use serde::Serialize;

use crate::{
    app::{app::App, deprecation::Deprecation, entry::RouteEntry, middleware::Credential},
    handler::channel::EventSnapshot,
    policy::Limits,
};

impl App {
    /// All routes with everything in effect on them.
    pub fn routes(&self) -> Vec<RouteSnapshot> {
        self.inner
            .routes
            .iter()
            .map(|route| RouteSnapshot::from(&**route))
            .collect()
    }
}

/// One route with everything in effect on it.
#[non_exhaustive]
#[derive(Debug, Clone, Serialize)]
pub struct RouteSnapshot {
    /// Always `websocket`.
    pub kind: &'static str,
    /// The full pattern.
    pub pattern: String,
    /// The name, if it has one.
    pub name: Option<String>,
    /// The prefix of its innermost group, if it is in one.
    pub group: Option<String>,
    /// Its tags, those of its groups first.
    pub tags: Vec<String>,
    /// Whether it requires a principal.
    pub requires_auth: bool,
    /// The scopes that the principal must have.
    pub scopes: Vec<String>,
    /// Where its authenticators find what they verify, of those that say so.
    pub credentials: Vec<Credential>,
    /// Whether plain requests are answered.
    pub has_fallback: bool,
    /// Whether clients without sockets get server-sent events.
    pub event_streams: bool,
    /// Since when it is deprecated, if it is.
    pub deprecated: Option<Deprecation>,
    /// How many middleware run, the app's and the groups' and the authorization included.
    pub middleware: usize,
    /// What middleware runs around its messages, the outermost first.
    pub message_middleware: Vec<String>,
    /// Whether messages are compressed for peers that offer it; how, is in the limits.
    pub compression: bool,
    /// The events of a [`Channel`](crate::Channel), by name.
    pub events: Vec<EventSnapshot>,
    /// Every limit and timer in effect, with origins, subprotocols and slow-client policy.
    pub limits: Limits,
    /// Connections now, handshakes included.
    pub connections: usize,
}

impl From<&RouteEntry> for RouteSnapshot {
    fn from(route: &RouteEntry) -> Self {
        Self {
            kind: "websocket",
            pattern: route.pattern.to_string(),
            name: route.name.clone(),
            group: route.group.clone(),
            tags: route.tags.clone(),
            requires_auth: route.auth.required,
            scopes: route.auth.scopes.clone(),
            credentials: route.credentials(),
            has_fallback: route.fallback.is_some(),
            event_streams: route.event_streams,
            deprecated: route.deprecation.clone(),
            middleware: route.middleware.len(),
            message_middleware: route.message_middleware.names(),
            compression: route.limits.compression.is_some(),
            events: route.events(),
            limits: (*route.limits).clone(),
            connections: route.count.live(),
        }
    }
}
