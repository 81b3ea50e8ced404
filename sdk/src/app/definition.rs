//! Routes and groups as they are written down.

use std::{future::Future, sync::Arc, time::Duration};

#[cfg(feature = "asyncapi")]
use crate::app::asyncapi::Described;
use crate::{
    app::{
        deprecation::Deprecation,
        entry::Fallback,
        middleware::{AnyMiddleware, Middleware},
        reverify::Reverify,
    },
    handler::{AnyHandler, Handler, MessageMiddleware, MessageStack, erase},
    message::Result,
    policy::{AuthRule, Configure, Policy, PrincipalCap},
    request::{Context, Principal, Response},
};

/// A pattern, a handler, and the route's own policy.
///
/// Patterns are literal but for `{name}`, one segment, and `{*name}`, the rest of the path. A
/// trailing slash is significant, and a parameter is never empty.
///
/// ```
/// use wharf_sdk::{Configure, Route, Socket};
///
/// async fn echo(mut socket: Socket) -> wharf_sdk::Result<()> {
///     while let Some(message) = socket.read().await? {
///         socket.write(message).await?;
///     }
///     Ok(())
/// }
///
/// let route = Route::new("/echo", echo).named("echo").max_message_bytes(64 * 1024);
/// # let _ = route;
/// ```
#[must_use = "a route does nothing until it is added to an app"]
pub struct Route {
    pub(super) pattern: String,
    pub(super) handler: AnyHandler,
    pub(super) common: Common,
    pub(super) name: Option<String>,
    pub(super) fallback: Option<Fallback>,
    pub(super) deprecation: Option<Deprecation>,
    #[cfg(feature = "asyncapi")]
    pub(super) described: Described,
    pub(super) event_streams: bool,
    pub(super) principal_cap: Option<PrincipalCap>,
}

/// Routes that share a prefix, middleware, tags, authentication and policy.
///
/// ```
/// use wharf_sdk::{App, Configure, Group, Principal, Route, middleware::bearer};
/// # use wharf_sdk::{Result, Socket};
/// # async fn echo(mut socket: Socket) -> Result<()> {
/// #     while let Some(message) = socket.read().await? {
/// #         socket.write(message).await?;
/// #     }
/// #     Ok(())
/// # }
/// # fn main() -> Result<()> {
/// let v1 = Group::new("/v1")
///     .max_connections(1000)
///     .middleware(bearer(async |token| Ok((token == "letmein").then(|| Principal::new("alice")))))
///     .require_auth()
///     .route(Route::new("/chat", echo))
///     .route(Route::new("/status", echo).allow_anonymous());
/// let app = App::builder().group(v1).build()?;
///
/// let patterns: Vec<_> = app.routes().into_iter().map(|route| route.pattern).collect();
/// assert_eq!(patterns, ["/v1/chat", "/v1/status"]);
/// # Ok(())
/// # }
/// ```
#[must_use = "a group does nothing until it is added to an app"]
pub struct Group {
    pub(super) prefix: String,
    pub(super) common: Common,
    pub(super) routes: Vec<Route>,
    pub(super) groups: Vec<Self>,
}

/// What routes, groups and apps have in common.
#[derive(Default)]
pub(super) struct Common {
    pub(super) policy: Policy,
    pub(super) middleware: Vec<AnyMiddleware>,
    /// What runs behind the authorization.
    pub(super) authorized_middleware: Vec<AnyMiddleware>,
    /// What runs around messages.
    pub(super) message_middleware: MessageStack,
    pub(super) reverify: Option<Reverify>,
    pub(super) tags: Vec<String>,
    pub(super) auth: Option<AuthRule>,
}

impl Common {
    /// What applies inside `outer`.
    pub(super) fn within(self, outer: &Self) -> Self {
        let mut middleware = outer.middleware.clone();
        middleware.extend(self.middleware);
        let mut authorized_middleware = outer.authorized_middleware.clone();
        authorized_middleware.extend(self.authorized_middleware);
        let mut tags = outer.tags.clone();
        tags.extend(self.tags);
        Self {
            policy: self.policy.or(&outer.policy),
            middleware,
            authorized_middleware,
            message_middleware: outer
                .message_middleware
                .with_inside(self.message_middleware),
            reverify: self.reverify.or_else(|| outer.reverify.clone()),
            tags,
            auth: self.auth.or_else(|| outer.auth.clone()),
        }
    }
}

macro_rules! common_methods {
    () => {
        /// Adds a middleware, inside those that are there.
        pub fn middleware(mut self, middleware: impl Middleware) -> Self {
            self.common.middleware.push(AnyMiddleware::new(middleware));
            self
        }

        /// Adds a middleware behind the authorization, inside those that are there: strangers do
        /// not reach it. What it looks up, they cannot find out.
        pub fn authorized_middleware(mut self, middleware: impl Middleware) -> Self {
            let middleware = AnyMiddleware::new(middleware);
            self.common.authorized_middleware.push(middleware);
            self
        }

        /// Runs around every message that a handler reads and every event of a channel, inside
        /// those that are there. What is read through a framework's own socket does not pass it.
        pub fn message_middleware(mut self, middleware: impl MessageMiddleware) -> Self {
            self.common.message_middleware.push(middleware);
            self
        }

        /// Verifies the principals of live sessions again, each on this interval: `None` ends the
        /// session with 1008, and a principal with an expiry lets it go on until then. What its
        /// handler took as the [`Principal`](crate::Principal) stays as it was.
        ///
        /// An error, or a `verify` that takes as long as the interval, is told to the observers and
        /// ends nothing: the next time decides.
        ///
        /// ```
        /// use std::time::Duration;
        /// use wharf_sdk::{App, Principal, Route, Socket, middleware::bearer};
        ///
        /// # async fn is_banned(_: &str) -> wharf_sdk::Result<bool> { Ok(false) }
        /// let app = App::builder()
        ///     .middleware(bearer(async |token| Ok(Some(Principal::new(token)))))
        ///     .reverify(Duration::from_secs(60), async |who| {
        ///         Ok((!is_banned(&who.id).await?).then(|| Principal::clone(&who)))
        ///     })
        ///     .route(Route::new("/chat", async |_: Socket| {}).require_auth());
        /// # app.build().expect("valid");
        /// ```
        pub fn reverify<F, Fut>(mut self, every: Duration, verify: F) -> Self
        where
            F: Fn(Arc<Principal>) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Result<Option<Principal>>> + Send + 'static,
        {
            self.common.reverify = Some(Reverify::new(every, verify));
            self
        }

        /// Adds a tag, for the route snapshot.
        pub fn tagged(mut self, tag: impl Into<String>) -> Self {
            self.common.tags.push(tag.into());
            self
        }

        /// Requires a principal: 401 without one. A middleware of the route, its groups or the app
        /// must authenticate.
        pub fn require_auth(mut self) -> Self {
            self.common.auth.get_or_insert_default().required = true;
            self
        }

        /// Requires a principal with all of these scopes: 401 without one, 403 if it lacks a
        /// scope.
        pub fn require_scopes<I: IntoIterator<Item: Into<String>>>(mut self, scopes: I) -> Self {
            self.common
                .auth
                .get_or_insert_default()
                .require_scopes(scopes);
            self
        }

        /// Lifts the requirement that an outer group or the app makes.
        pub fn allow_anonymous(mut self) -> Self {
            self.common.auth = Some(AuthRule::default());
            self
        }
    };
}
pub(super) use common_methods;

impl Route {
    /// A route that inherits everything.
    pub fn new<Args: 'static>(pattern: impl Into<String>, handler: impl Handler<Args>) -> Self {
        let wants_control_frames = handler.wants_control_frames();
        let route = Self {
            pattern: pattern.into(),
            handler: erase(handler),
            common: Common::default(),
            name: None,
            fallback: None,
            deprecation: None,
            #[cfg(feature = "asyncapi")]
            described: Described::default(),
            event_streams: false,
            principal_cap: None,
        };
        if wants_control_frames {
            route.control_frames(true)
        } else {
            route
        }
    }

    /// Names the route, for the route snapshot.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Takes only so many connections of one principal at once, counted after authentication. Who
    /// connects without a principal is not counted.
    pub fn connections_per_principal(mut self, cap: PrincipalCap) -> Self {
        self.principal_cap = Some(cap);
        self
    }

    /// Serves clients without sockets as well: a `GET` that accepts `text/event-stream` runs the
    /// handler, and what that writes as text reaches the client as
    /// [server-sent events](https://html.spec.whatwg.org/multipage/server-sent-events.html), with
    /// ids; binary messages come as events `binary`, in base64. There is nothing to read, and the
    /// end is an event `close` with `{"code", "reason"}`. Where a client resumes,
    /// [`Context::last_event_id`] says behind what.
    ///
    /// Origins, middleware, authentication and caps are checked as for sockets. Off by default.
    pub fn server_sent_events(mut self) -> Self {
        self.event_streams = true;
        self
    }

    /// Answers plain requests to this path, of any method.
    ///
    /// It answers before origin check, middleware and authentication: `require_scopes` does not
    /// protect it, and there is no principal; [`guarded_fallback`](Self::guarded_fallback) stands
    /// behind them. While the app is full or shutting down, it is 503 like everything else; when it
    /// takes longer than [`fallback_timeout`](Configure::fallback_timeout), 504.
    pub fn fallback<F, Fut>(mut self, answer: F) -> Self
    where
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Response> + Send + 'static,
    {
        self.fallback = Some(Fallback {
            answer: Arc::new(move |context| Box::pin(answer(context))),
            is_guarded: false,
        });
        self
    }

    /// Answers plain requests to this path, of any method, behind the route's middleware and
    /// authorization: who may not connect does not get this answer either.
    ///
    /// Origins are not checked, which plain requests of other pages do not send reliably: what
    /// changes something must check itself.
    pub fn guarded_fallback<F, Fut>(mut self, answer: F) -> Self
    where
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Response> + Send + 'static,
    {
        self.fallback = Some(Fallback {
            answer: Arc::new(move |context| Box::pin(answer(context))),
            is_guarded: true,
        });
        self
    }

    /// Tells clients that the route will go: `Deprecation`, `Sunset` and `Link` headers on the 101
    /// and on what refuses behind the handshake's checks, and a mark in the route snapshot. Days are
    /// written as `2026-01-31`.
    ///
    /// ```
    /// use wharf_sdk::{Route, Socket};
    ///
    /// let route = Route::new("/v1", async |_: Socket| {})
    ///     .deprecated("2026-01-01", "2027-01-01", "https://docs.example/moving-to-v2");
    /// # let _ = route;
    /// ```
    pub fn deprecated<'a>(
        mut self,
        since: &str,
        sunset: impl Into<Option<&'a str>>,
        link: impl Into<Option<&'a str>>,
    ) -> Self {
        self.deprecation = Some(Deprecation {
            since: since.to_owned(),
            sunset: sunset.into().map(str::to_owned),
            link: link.into().map(str::to_owned),
        });
        self
    }

    common_methods!();
}

impl Group {
    /// A group under this prefix, which begins with `/` and does not end with it, or is empty.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            common: Common::default(),
            routes: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// Adds a route.
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Adds a group inside this one.
    pub fn group(mut self, group: Self) -> Self {
        self.groups.push(group);
        self
    }

    common_methods!();
}

impl Configure for Route {
    fn policy_mut(&mut self) -> &mut Policy {
        &mut self.common.policy
    }
}

impl Configure for Group {
    fn policy_mut(&mut self) -> &mut Policy {
        &mut self.common.policy
    }
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Route")
            .field("pattern", &self.pattern)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group")
            .field("prefix", &self.prefix)
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}
