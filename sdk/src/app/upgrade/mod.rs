//! From a request to a socket, or to the answer why not.

mod handshake;
#[cfg(any(test, fuzzing))]
pub(crate) mod properties;

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use http::{HeaderValue, Response, StatusCode, header};

pub use self::handshake::accept_key;
use super::{
    app::{App, AppInner},
    entry::RouteEntry,
    middleware::{ChainEnd, Next},
};
use crate::{
    handler::Prepared,
    message::{BoxError, Error, ErrorKind, Phase, Result},
    policy::{Limits, parse_offers},
    request::{Context, UpgradeRequest},
    session::{Session, SessionInfo, SessionParts, Slot},
    wire::Transport,
};

impl App {
    /// Decides on a request: what a driver calls.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives back everything that the request holds.
    pub async fn decide(&self, request: UpgradeRequest, driver: &'static str) -> Decision {
        decide(&self.inner, request, driver).await
    }
}

/// What a driver does with a request.
#[derive(Debug)]
pub enum Decision {
    /// Answer it with this.
    Respond(Response<Bytes>),
    /// Answer it with [`Upgrade::response`], then run the session.
    Upgrade(Upgrade),
}

/// A request that becomes a socket.
pub struct Upgrade {
    response: Response<()>,
    prepared: Prepared,
    parts: SessionParts,
    app: Arc<AppInner>,
    context: Context,
}

impl Upgrade {
    /// The 101, complete; over HTTP/2 the 200.
    pub fn response(&self) -> &Response<()> {
        &self.response
    }

    /// Every limit of the route: what the transport is built with.
    pub fn limits(&self) -> &Limits {
        &self.parts.limits
    }

    /// The driver's name.
    pub fn driver(&self) -> &'static str {
        self.parts.info.driver
    }

    /// The selected subprotocol.
    pub fn subprotocol(&self) -> Option<&str> {
        self.parts.info.subprotocol.as_deref()
    }

    /// Makes the session over the upgraded connection.
    pub fn start<T: Transport>(self, transport: T) -> Session<T> {
        let prepared = self.prepared;
        // The request's own memory is the handler's to keep or drop from here on.
        drop(self.context);
        self.parts.start(transport, prepared)
    }

    /// The connection ended before it was a socket.
    pub fn fail(self, cause: impl Into<BoxError>) {
        let error = Error::new(
            ErrorKind::Io,
            "WHARF_UPGRADE_LOST",
            "the connection ended during the upgrade; the client went away",
        )
        .with_source(cause)
        .in_phase(Phase::Upgrade);
        let status = self.response.status();
        self.app
            .observers
            .rejected(&self.context, status, Some(&error));
    }
}

impl std::fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upgrade")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

/// Decides on a request, from the first check to the last.
async fn decide(app: &Arc<AppInner>, request: UpgradeRequest, driver: &'static str) -> Decision {
    let client = request.client_address(&app.trusted_proxies);
    let mut context = Context::new(request, client, driver, Arc::clone(&app.state));
    match run(app, &mut context).await {
        Ok(Outcome::Upgrade(accepted)) => {
            let Accepted {
                response,
                prepared,
                route,
                slot,
            } = *accepted;
            Decision::Upgrade(Upgrade {
                response,
                prepared,
                parts: session_parts(app, &context, &route, slot),
                app: Arc::clone(app),
                context,
            })
        }
        Ok(Outcome::Respond(response)) => Decision::Respond(*response),
        Ok(Outcome::Rejected(response)) => {
            app.observers.rejected(&context, response.status(), None);
            Decision::Respond(*response)
        }
        Err(error) => {
            let response = app.error_response(&error, &context);
            app.observers
                .rejected(&context, response.status(), Some(&error));
            Decision::Respond(response)
        }
    }
}

enum Outcome {
    Upgrade(Box<Accepted>),
    /// An HTTP fallback's answer.
    Respond(Box<Response<Bytes>>),
    /// A middleware's answer.
    Rejected(Box<Response<Bytes>>),
}

struct Accepted {
    response: Response<()>,
    prepared: Prepared,
    route: Arc<RouteEntry>,
    slot: Slot,
}

async fn run(app: &Arc<AppInner>, context: &mut Context) -> Result<Outcome> {
    let in_handshake = |error: Error| error.in_phase(Phase::Handshake);
    handshake::check_form(context.request()).map_err(in_handshake)?;
    let (route, params) = app
        .matcher
        .find(context.path())
        .map_err(|error| error.in_phase(Phase::Match))?;
    context.set_route(Arc::clone(&route.pattern), params);

    let peer = context.peer().map(|peer| peer.ip().to_canonical());
    let slot = app
        .registry
        .admit(app.caps, &route.count, peer)
        .map_err(in_handshake)?;

    if let Some(fallback) = &route.fallback
        && !context.is_upgrade()
    {
        let answer = AssertUnwindSafe(fallback(context.clone()))
            .catch_unwind()
            .await;
        let answer = answer.map_err(|panic| Error::panicked(&*panic).in_phase(Phase::Handler))?;
        return Ok(Outcome::Respond(Box::new(answer)));
    }

    check_request(app, context, &route).map_err(in_handshake)?;
    let endpoint = Endpoint::new(&route);
    let chain = Next::new(&route.middleware, &endpoint).run(context);
    let chain = AssertUnwindSafe(chain).catch_unwind();
    let answer = match tokio::time::timeout(route.limits.upgrade_timeout, chain).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(panic)) => Err(Error::panicked(&*panic)),
        Err(_) => Err(Error::new(
            ErrorKind::Timeout,
            "WHARF_UPGRADE_TIMEOUT",
            "deciding on the upgrade took too long; try again later",
        )),
    };
    let answer = answer.map_err(|error| error.in_phase(Phase::Middleware))?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Outcome::Rejected(Box::new(answer)));
    }
    let prepared = endpoint.take().ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            "WHARF_UNEARNED_101",
            "a middleware answered 101 itself; call next.run(ctx) to upgrade",
        )
        .in_phase(Phase::Middleware)
    })?;
    let response = switching_protocols(context, &answer)?;
    Ok(Outcome::Upgrade(Box::new(Accepted {
        response,
        prepared,
        route,
        slot,
    })))
}

fn check_request(app: &AppInner, context: &mut Context, route: &RouteEntry) -> Result<()> {
    let request = context.request();
    handshake::check(request)?;
    let offers = parse_offers(&request.headers)?;
    let own = request.own_origin(&app.trusted_proxies, app.is_tls);
    route.limits.origins.check(&request.headers, own.as_ref())?;
    context.set_offers(offers);
    Ok(())
}

/// What comes after the middleware and before the 101: who may connect, what is spoken, and what
/// the handler takes out of the request.
async fn prepare(context: &mut Context, route: &RouteEntry) -> Result<Prepared> {
    authorize(context, route)?;
    let subprotocols = &route.limits.subprotocols;
    context.settle_subprotocol(|offers| subprotocols.choose(offers))?;
    route
        .handler
        .prepare(context)
        .map_err(|error| error.in_phase(Phase::Upgrade))
}

fn authorize(context: &Context, route: &RouteEntry) -> Result<()> {
    if !route.auth.required {
        return Ok(());
    }
    let Some(principal) = context.principal() else {
        if !context.has_authenticator() {
            tracing::error!(
                route = &*route.pattern,
                "the route requires a principal but no authenticator ran; refusing everyone"
            );
        }
        return Err(Error::new(
            ErrorKind::Unauthorized,
            "WHARF_UNAUTHORIZED",
            "connect with a valid credential",
        )
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
    };
    match route
        .auth
        .scopes
        .iter()
        .find(|scope| !principal.has_scope(scope))
    {
        None => Ok(()),
        Some(scope) => Err(Error::new(
            ErrorKind::Forbidden,
            "WHARF_SCOPE_MISSING",
            format!("this endpoint needs the scope {scope}; ask for it"),
        )),
    }
}

/// The 101, or 200 over HTTP/2, with what middleware added, its own headers set last so that nothing can bend them.
fn switching_protocols(context: &Context, answer: &Response<Bytes>) -> Result<Response<()>> {
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.clone_from(answer.headers());
    for name in [
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::SEC_WEBSOCKET_EXTENSIONS,
    ] {
        headers.remove(name);
    }
    headers.remove(header::SEC_WEBSOCKET_PROTOCOL);
    let subprotocol = context
        .subprotocol()
        .and_then(|name| HeaderValue::from_str(name).ok());
    if let Some(subprotocol) = subprotocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    if context.request().is_multiplexed() {
        // Streams are not switched, and speak for themselves: these have no place there.
        for name in [
            header::UPGRADE,
            header::CONNECTION,
            header::SEC_WEBSOCKET_ACCEPT,
        ] {
            headers.remove(name);
        }
        return Ok(response);
    }
    let accept = handshake::accept(context.headers()).ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            "WHARF_KEY",
            "the key vanished during the upgrade",
        )
        .in_phase(Phase::Upgrade)
    })?;
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    Ok(response)
}

fn session_parts(
    app: &Arc<AppInner>,
    context: &Context,
    route: &RouteEntry,
    slot: Slot,
) -> SessionParts {
    let principal = context.principal();
    SessionParts {
        info: Arc::new(SessionInfo {
            id: context.id(),
            route: Arc::clone(&route.pattern),
            driver: context.driver(),
            peer: context.peer(),
            subprotocol: context.selected_subprotocol(),
            principal: principal.map(|principal| Arc::clone(&principal.id)),
        }),
        limits: Arc::clone(&route.limits),
        hooks: Arc::clone(app) as _,
        registry: Some(Arc::clone(&app.registry)),
        expires_in: principal
            .and_then(|principal| principal.expires_at)
            .map(|at| {
                // Expired already: the session ends at its first turn.
                at.duration_since(SystemTime::now()).unwrap_or_default()
            }),
        slot: Some(slot),
        guards: context.guards(),
    }
}

/// The end of the chain: who got here may upgrade, if the route's own rules say so.
struct Endpoint<'a> {
    route: &'a RouteEntry,
    prepared: Mutex<Option<Prepared>>,
}

impl<'a> Endpoint<'a> {
    fn new(route: &'a RouteEntry) -> Self {
        Self {
            route,
            prepared: Mutex::new(None),
        }
    }

    /// The handler with its arguments, if the chain came through to the end.
    fn take(&self) -> Option<Prepared> {
        self.slot().take()
    }

    fn slot(&self) -> MutexGuard<'_, Option<Prepared>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChainEnd for Endpoint<'_> {
    fn reach<'a>(&'a self, context: &'a mut Context) -> BoxFuture<'a, Result<Response<Bytes>>> {
        Box::pin(async move {
            let prepared = prepare(context, self.route).await?;
            *self.slot() = Some(prepared);
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            Ok(response)
        })
    }
}
