//! An app as it is written down.

use std::{future::Future, sync::Arc, time::Duration};

use http::{Extensions, HeaderMap};
use tokio::sync::Semaphore;

use crate::{
    app::{
        app::{App, AppInner},
        definition::{Common, Group, Route, common_methods},
        entry::RouteEntry,
        mapper::ErrorMapper,
        matcher::{Matcher, parameters},
        middleware::{AnyMiddleware, Authorize, Middleware},
        observer::{Observer, Observers},
        reverify::Reverify,
    },
    handler::{MessageMiddleware, extract::Provided},
    message::{Error, Result},
    policy::{AuthRule, Configure, Policy},
    request::{Principal, TrustedProxies},
    session::{Caps, Registry, RouteCount, Ways},
};

/// How many are told at a time, by sockets, that the caps have no place for one.
const TOLD_BEYOND_CAPS: usize = 16;

impl App {
    /// Starts an app without routes.
    pub fn builder() -> AppBuilder {
        AppBuilder::default()
    }
}

/// Routes, groups, middleware, observers and policy, before they are checked.
///
/// ```
/// use std::time::Duration;
/// use wharf_sdk::{App, Configure, Group, Principal, Route, middleware::bearer, observer::Log};
/// # use wharf_sdk::{Result, Socket};
/// # async fn echo(mut socket: Socket) -> Result<()> {
/// #     while let Some(message) = socket.read().await? {
/// #         socket.write(message).await?;
/// #     }
/// #     Ok(())
/// # }
/// # fn main() -> Result<()> {
/// let app = App::builder()
///     .observer(Log)
///     .middleware(bearer(async |token| Ok((token == "letmein").then(|| Principal::new("alice")))))
///     .max_message_bytes(64 * 1024) // of every route that says nothing else
///     .route(Route::new("/echo", echo))
///     .group(Group::new("/admin").require_scopes(["admin"]).route(Route::new("/echo", echo)))
///     .build()?;
///
/// // What contradicts itself is refused, with the route and the value.
/// let broken = App::builder().route(Route::new("/echo", echo).idle_timeout(Duration::ZERO));
/// let error = broken.build().expect_err("would end every session");
/// assert!(error.message().starts_with("route /echo: idle_timeout is 0"));
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
#[must_use = "call build() and serve or mount the app"]
pub struct AppBuilder {
    common: Common,
    routes: Vec<Route>,
    groups: Vec<Group>,
    observers: Vec<Arc<dyn Observer>>,
    mapper: Option<Box<dyn ErrorMapper>>,
    state: Extensions,
    trusted_proxies: TrustedProxies,
    caps: Caps,
    is_debug: bool,
    is_tls: bool,
}

impl AppBuilder {
    /// Adds a route.
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Adds a group of routes.
    pub fn group(mut self, group: Group) -> Self {
        self.groups.push(group);
        self
    }

    /// Adds an observer, behind those that are there.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Decides what the peer sees of errors.
    pub fn map_errors(mut self, mapper: impl ErrorMapper) -> Self {
        self.mapper = Some(Box::new(mapper));
        self
    }

    /// Sets a value for handlers, one of each type; they take it as
    /// [`State`](crate::State).
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.state.insert(value);
        self
    }

    /// Believes the forwarding headers of these proxies.
    pub fn trust_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.trusted_proxies = proxies;
        self
    }

    /// Says that the app is served over TLS where the driver cannot see it, such as in a server
    /// that terminates TLS before axum: same-origin pages are `https` then. Behind a proxy, use
    /// [`trust_proxies`](Self::trust_proxies) instead.
    pub fn served_over_tls(mut self, is_tls: bool) -> Self {
        self.is_tls = is_tls;
        self
    }

    /// How many connections the whole app takes at once. Default: no limit. The answer is 503
    /// beyond it.
    pub fn max_app_connections(mut self, connections: usize) -> Self {
        self.caps.app = Some(connections);
        self
    }

    /// How many connections one peer address may hold at once. Default: no limit. The answer is
    /// 503 beyond it.
    ///
    /// The server must know its peers' addresses: one of Wharf's does; a router of axum's, with
    /// `into_make_service_with_connect_info::<SocketAddr>()`. Where it does not, nothing is limited,
    /// which is logged as a warning.
    pub fn max_connections_per_peer(mut self, connections: usize) -> Self {
        self.caps.peer = Some(connections);
        self
    }

    /// Shows private causes to peers, in problem documents and close reasons. Never in production.
    pub fn debug(mut self, is_debug: bool) -> Self {
        self.is_debug = is_debug;
        self
    }

    common_methods!();

    /// Checks everything and makes the app.
    ///
    /// # Errors
    ///
    /// `WHARF_CONFIG`, naming the route and the value: a pattern that does not parse, is
    /// written as other routers write it, or clashes with another, a `Path` that does not fit it, a limit of zero, limits that contradict each other, a principal that is
    /// required where nothing authenticates.
    pub fn build(self) -> Result<App> {
        for (name, cap) in [
            ("max_app_connections", self.caps.app),
            ("max_connections_per_peer", self.caps.peer),
        ] {
            if cap == Some(0) {
                return Err(Error::config(format!("{name} is 0; give it at least 1")));
            }
        }
        let mut matcher = Matcher::default();
        let mut routes = Vec::new();
        let whole = Group {
            prefix: String::new(),
            common: self.common,
            routes: self.routes,
            groups: self.groups,
        };
        let registry = Arc::new(Registry::default());
        let outer = Common::default();
        add_group(whole, "", None, &outer, &registry, &mut |route| {
            let provided = Provided {
                state: &self.state,
                params: &parameters(&route.pattern),
            };
            route.handler.check(&provided).map_err(|error| {
                Error::config(format!("route {}: {}", route.pattern, error.message()))
            })?;
            let route = Arc::new(route);
            matcher.add(&route)?;
            routes.push(route);
            Ok(())
        })?;
        Ok(App {
            inner: Arc::new(AppInner {
                matcher,
                routes,
                observers: Observers::new(self.observers),
                mapper: self.mapper,
                state: Arc::new(self.state),
                trusted_proxies: self.trusted_proxies,
                caps: self.caps,
                is_debug: self.is_debug,
                is_tls: self.is_tls,
                registry,
                beyond_caps: Arc::new(Semaphore::new(TOLD_BEYOND_CAPS)),
            }),
        })
    }
}

impl Configure for AppBuilder {
    fn policy_mut(&mut self) -> &mut Policy {
        &mut self.common.policy
    }
}

impl std::fmt::Debug for AppBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppBuilder")
            .field("routes", &self.routes)
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

/// Adds a group's routes with all that they inherit.
fn add_group(
    group: Group,
    outer_prefix: &str,
    outer_group: Option<&str>,
    outer: &Common,
    registry: &Arc<Registry>,
    add: &mut impl FnMut(RouteEntry) -> Result<()>,
) -> Result<()> {
    let has_form =
        group.prefix.is_empty() || (group.prefix.starts_with('/') && !group.prefix.ends_with('/'));
    if !has_form {
        return Err(Error::config(format!(
            "group prefix {:?} must begin with a slash and not end with one",
            group.prefix
        )));
    }
    let prefix = format!("{outer_prefix}{}", group.prefix);
    let name = if group.prefix.is_empty() {
        outer_group
    } else {
        Some(prefix.as_str())
    };
    let common = group.common.within(outer);
    for route in group.routes {
        add(entry(route, &prefix, name, &common, registry)?)?;
    }
    for inner in group.groups {
        add_group(inner, &prefix, name, &common, registry, add)?;
    }
    Ok(())
}

fn entry(
    route: Route,
    prefix: &str,
    group: Option<&str>,
    outer: &Common,
    registry: &Arc<Registry>,
) -> Result<RouteEntry> {
    let pattern = format!("{prefix}{}", route.pattern);
    let common = route.common.within(outer);
    let limits = common.policy.resolve(&pattern)?;
    let auth = common.auth.unwrap_or_default();
    let headers = match &route.deprecation {
        Some(deprecation) => deprecation
            .headers()
            .map_err(|error| Error::config(format!("route {pattern}: {}", error.message())))?,
        None => HeaderMap::new(),
    };
    let mut middleware = common.middleware;
    let is_authenticated = middleware.iter().any(AnyMiddleware::authenticates);
    if auth.required {
        if !is_authenticated {
            return Err(Error::config(format!(
                "route {pattern}: it requires a principal and no middleware authenticates; add one \
                 such as middleware::bearer, or declare yours with middleware::authenticator"
            )));
        }
        middleware.push(AnyMiddleware::new(Authorize(auth.clone())));
    }
    middleware.extend(common.authorized_middleware);
    if let Some(reverify) = &common.reverify {
        let named = |error: Error| Error::config(format!("route {pattern}: {}", error.message()));
        reverify.check().map_err(named)?;
    }
    let pattern: Arc<str> = pattern.into();
    Ok(RouteEntry {
        count: Arc::new(RouteCount::new(
            Arc::clone(registry),
            limits.max_connections,
        )),
        limits: Arc::new(limits),
        ways: Ways::new(Arc::clone(&pattern)),
        pattern,
        name: route.name,
        group: group.map(str::to_owned),
        tags: common.tags,
        auth,
        middleware,
        message_middleware: common.message_middleware,
        reverify: common.reverify,
        handler: route.handler,
        fallback: route.fallback,
        #[cfg(feature = "asyncapi")]
        described: route.described,
        event_streams: route.event_streams,
        deprecation: route.deprecation,
        headers,
        principal_cap: route.principal_cap,
    })
}
