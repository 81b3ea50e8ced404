//! From a request to a socket, or to the answer why not.

mod chain;
mod event_stream;
mod handshake;
#[cfg(any(test, fuzzing))]
pub(crate) mod properties;
mod readable;

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures::FutureExt;
use http::{HeaderValue, Method, Response, StatusCode, header};
use tracing::Instrument;

pub use self::handshake::accept_key;
use self::{chain::RouteChain, readable::readable};
#[cfg(feature = "metrics")]
use super::observer::{Timed, handler_histogram};
use super::{
    app::{App, AppInner},
    entry::RouteEntry,
    middleware::{Next, RequestId, session_span},
};
use crate::{
    handler::Prepared,
    message::{BoxError, Error, ErrorKind, Phase, Result},
    policy::{DeflateParams, Limits, parse_extensions, parse_offers},
    request::{Context, UpgradeRequest},
    session::{Session, SessionInfo, SessionParts, Slot},
    wire::{EventStream, EventStreamBody, Transport},
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
    /// Answer it with this, whose body goes on for as long as its session, which runs already.
    Stream(Response<EventStreamBody>),
    /// Answer it with [`Upgrade::response`], then run the session.
    Upgrade(Upgrade),
}

/// A request that becomes a socket.
pub struct Upgrade {
    response: Response<()>,
    deflate: Option<DeflateParams>,
    prepared: Prepared,
    parts: Box<SessionParts>,
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
        self.parts.info.driver()
    }

    /// The selected subprotocol.
    pub fn subprotocol(&self) -> Option<&str> {
        self.parts.info.subprotocol()
    }

    /// How messages are compressed, as the 101 says: what the transport is built with.
    pub fn deflate(&self) -> Option<&DeflateParams> {
        self.deflate.as_ref()
    }

    /// Takes the compression out of the 101, for a transport that has none. Before the response is
    /// sent.
    #[must_use]
    pub fn without_deflate(mut self) -> Self {
        self.deflate = None;
        let headers = self.response.headers_mut();
        headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
        self
    }

    /// Takes the session's place in the app's caps: for a connection that can outlive its session,
    /// and counts until it is gone.
    pub fn take_place(&mut self) -> Option<Place> {
        self.parts.slot.take().map(Place)
    }

    /// Makes the session over the upgraded connection.
    pub fn start<T: Transport>(self, transport: T) -> Session<T> {
        let prepared = match session_span(&self.context, &self.parts.info) {
            None => self.prepared,
            Some(span) => {
                let prepared = self.prepared;
                Box::new(move |socket| Box::pin(prepared(socket).instrument(span)) as _)
            }
        };
        #[cfg(feature = "metrics")]
        let prepared = match handler_histogram(&self.context, &self.parts.info) {
            None => prepared,
            Some(histogram) => {
                Box::new(move |socket| Box::pin(Timed::new(prepared(socket), histogram)) as _)
            }
        };
        // The handler has taken what it needs of the request; the rest would live as long as it.
        if let Err(error) = drop_caught(self.context) {
            let error = error.in_phase(Phase::Upgrade);
            self.app.observers.failed(&self.parts.info, &error);
        }
        self.parts.start(transport, prepared)
    }

    /// Runs the session on a task of its own; what it sends is the body.
    fn into_event_stream(self) -> Response<EventStreamBody> {
        let last_id = event_stream::last_id(&self.context);
        let (transport, body) = EventStream::new(last_id);
        let mut response = Response::new(body);
        response.headers_mut().clone_from(self.response.headers());
        tokio::spawn(self.start(transport).map(drop));
        response
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

/// A connection's place in its app's caps and counts; dropped, it is given back.
#[derive(Debug)]
pub struct Place(#[allow(dead_code, reason = "held for its drop")] Slot);

/// Decides on a request, from the first check to the last.
async fn decide(
    app: &Arc<AppInner>,
    mut request: UpgradeRequest,
    driver: &'static str,
) -> Decision {
    request.is_secure = request.is_client_secure(&app.trusted_proxies, app.is_tls);
    let client = request.client_address(&app.trusted_proxies);
    let state = Arc::clone(&app.state);
    let mut context = Context::new(request, client, driver, Some(Arc::clone(app) as _), state);
    let route = match find(app, &mut context) {
        Ok(route) => route,
        Err(error) => {
            let mut refusal = app.refuse(error, &context);
            tell(app, &context, &mut refusal);
            return respond(context, refusal);
        }
    };
    let (outcome, slot) = match admit(app, &context, &route) {
        Ok(slot) => (run(app, &mut context, &route).await, Some(slot)),
        Err(error) => (Err(error), None),
    };
    let outcome = outcome.unwrap_or_else(|error| Outcome::Rejected(app.refuse(error, &context)));
    let mut refusal = match outcome {
        Outcome::Upgrade(mut accepted) => {
            route.add_headers(accepted.response.headers_mut());
            return accept(app, context, *accepted, &route, slot);
        }
        Outcome::Respond(mut response) => {
            route.add_headers(response.headers_mut());
            return respond(context, response);
        }
        Outcome::Rejected(refusal) => refusal,
    };
    route.add_headers(refusal.headers_mut());
    let error = tell(app, &context, &mut refusal);
    if slot.is_none() {
        // Beyond the caps, a few at a time are told why, as long as their sessions are waited for.
        match Arc::clone(&app.beyond_caps).try_acquire_owned() {
            Ok(permit) if !app.registry.is_draining() => context.hold(permit),
            _ => return respond(context, refusal),
        }
    }
    match readable(&mut context, &route, &refusal, error.as_ref()) {
        Some(accepted) => accept(app, context, accepted, &route, slot),
        None => respond(context, refusal),
    }
}

/// Tells the observers of a refusal, and takes the error out of it.
fn tell(app: &AppInner, context: &Context, refusal: &mut Response<Bytes>) -> Option<Arc<Error>> {
    let error = refusal.extensions_mut().remove::<Arc<Error>>();
    app.observers
        .rejected(context, refusal.status(), error.as_deref());
    error
}

fn accept(
    app: &Arc<AppInner>,
    context: Context,
    accepted: Accepted,
    route: &RouteEntry,
    slot: Option<Slot>,
) -> Decision {
    let upgrade = Upgrade {
        response: accepted.response,
        deflate: accepted.deflate,
        prepared: accepted.prepared,
        parts: Box::new(session_parts(app, &context, route, slot)),
        app: Arc::clone(app),
        context,
    };
    match accepted.is_stream {
        true => Decision::Stream(upgrade.into_event_stream()),
        false => Decision::Upgrade(upgrade),
    }
}

fn respond(context: Context, response: Response<Bytes>) -> Decision {
    // It is logged; the answer stands.
    let _ = drop_caught(context);
    Decision::Respond(response)
}

enum Outcome {
    Upgrade(Box<Accepted>),
    /// An HTTP fallback's answer.
    Respond(Response<Bytes>),
    /// A refusal, or a middleware's answer.
    Rejected(Response<Bytes>),
}

/// A request that gets what it asks for.
struct Accepted {
    response: Response<()>,
    deflate: Option<DeflateParams>,
    prepared: Prepared,
    /// It asks for server-sent events, not for a socket.
    is_stream: bool,
}

/// Finds the route.
fn find(app: &AppInner, context: &mut Context) -> Result<Arc<RouteEntry>> {
    handshake::check_form(context.request()).map_err(|error| error.in_phase(Phase::Handshake))?;
    let (route, params) = app
        .matcher
        .find(context.path())
        .map_err(|error| error.in_phase(Phase::Match))?;
    let method = match context.method() {
        &Method::CONNECT => "CONNECT",
        _ => "GET",
    };
    let mount = &context.request().mount;
    let way = route.ways.get_or_add(mount, method, context.driver());
    context.set_way(way, params);
    Ok(route)
}

/// Finds a place in the caps.
fn admit(app: &AppInner, context: &Context, route: &RouteEntry) -> Result<Slot> {
    let peer = context.peer().map(|peer| peer.ip().to_canonical());
    let slot = route.count.admit(app.caps, peer);
    slot.map_err(|error| error.in_phase(Phase::Handshake))
}

async fn run(
    app: &Arc<AppInner>,
    context: &mut Context,
    route: &Arc<RouteEntry>,
) -> Result<Outcome> {
    let is_stream = route.event_streams && context.request().wants_event_stream();
    let is_plain = !context.is_upgrade() && !is_stream;
    let fallback = route.fallback.as_ref().filter(|_| is_plain);
    let limit = match fallback {
        Some(_) => route.limits.fallback_timeout,
        None => route.limits.upgrade_timeout,
    };
    let deflate = match fallback {
        Some(fallback) if !fallback.is_guarded => {
            // Called within the future, so that a panic before its first await is caught too.
            let answer = AssertUnwindSafe(async { (fallback.answer)(context.clone()).await });
            let answer = in_time(limit, answer.catch_unwind()).await;
            let answer = answer.and_then(|answer| answer.map_err(Error::panicked));
            let answer = answer.and_then(earned);
            return answer
                .map(Outcome::Respond)
                .map_err(|error| error.in_phase(Phase::Handler));
        }
        // Its own answer stands at the end of the chain.
        Some(_) => None,
        None => check_request(app, context, route, is_stream)
            .map_err(|error| error.in_phase(Phase::Handshake))?,
    };
    let chain = RouteChain::new(
        Arc::clone(app),
        Arc::clone(route),
        context.clone(),
        is_plain,
    );
    let chain = Arc::new(chain);
    let answer = Next::all(Arc::clone(&chain) as _).run(context.clone());
    let answer = in_time(limit, answer).await;
    *context = chain.last_entered();
    let in_chain = |error: Error| error.in_phase(Phase::Middleware);
    let answer = answer.map_err(in_chain)?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        let answer = earned(answer).map_err(in_chain)?;
        let is_refusal = fallback.is_none() || answer.extensions().get::<Arc<Error>>().is_some();
        return Ok(match is_refusal {
            true => Outcome::Rejected(answer),
            false => Outcome::Respond(answer),
        });
    }
    let Some((accepted, prepared)) = chain.take_accepted() else {
        return Err(in_chain(unearned()));
    };
    *context = accepted;
    let (deflate, extensions) = deflate.unzip();
    let response = match is_stream {
        true => event_stream::response(&answer),
        false => switching_protocols(context, &answer, extensions)?,
    };
    Ok(Outcome::Upgrade(Box::new(Accepted {
        response,
        deflate,
        prepared,
        is_stream,
    })))
}

/// What comes in time.
async fn in_time<T>(limit: Duration, answer: impl Future<Output = T>) -> Result<T> {
    let answer = tokio::time::timeout(limit, answer).await;
    answer.map_err(|_| {
        Error::new(
            ErrorKind::Timeout,
            "WHARF_UPGRADE_TIMEOUT",
            "the answer took too long; try again later",
        )
    })
}

/// Refuses a 1xx as an answer: a final one would have to follow, and none does.
fn earned(answer: Response<Bytes>) -> Result<Response<Bytes>> {
    if answer.status().is_informational() {
        return Err(unearned());
    }
    Ok(answer)
}

fn unearned() -> Error {
    Error::new(
        ErrorKind::Internal,
        "WHARF_UNEARNED_101",
        "the server answered with 101 or another 1xx itself; call next.run(context) to upgrade",
    )
}

/// Drops what the application put into a context. A destructor that panics must not cost the
/// client its answer, or the session its life.
fn drop_caught(context: Context) -> Result<()> {
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(context)));
    dropped.map_err(|panic| {
        let error = Error::panicked(panic);
        tracing::error!(
            cause = error.cause_chain(),
            "a value in a context panicked in its drop"
        );
        error
    })
}

/// What was agreed on about compression, and the header that says so.
type AgreedDeflate = (DeflateParams, HeaderValue);

fn check_request(
    app: &AppInner,
    context: &mut Context,
    route: &RouteEntry,
    is_stream: bool,
) -> Result<Option<AgreedDeflate>> {
    let own = context
        .request()
        .own_origin(&app.trusted_proxies, app.is_tls);
    if is_stream {
        handshake::check_event_stream(context.request())?;
        route
            .limits
            .origins
            .check(context.headers(), own.as_ref())?;
        return Ok(None);
    }
    handshake::check(context.request())?;
    context.set_offers(parse_offers(context.headers())?);
    let extensions = parse_extensions(context.headers())?;
    let compression = route.limits.compression.as_ref();
    let deflate = compression.and_then(|compression| compression.answer(&extensions));
    route
        .limits
        .origins
        .check(context.headers(), own.as_ref())?;
    Ok(deflate)
}

/// The 101, or 200 over HTTP/2, with what middleware added. Its own headers are set last, so that
/// middleware cannot change them.
fn switching_protocols(
    context: &Context,
    answer: &Response<Bytes>,
    extensions: Option<HeaderValue>,
) -> Result<Response<()>> {
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
    if let Some(extensions) = extensions {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, extensions);
    }
    if context.request().is_multiplexed() {
        // HTTP/2 knows no headers about the connection, and has no key to answer (RFC 8441 §5).
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
    slot: Option<Slot>,
) -> SessionParts {
    let principal = context.principal();
    SessionParts {
        info: SessionInfo::new(context.id(), context.way())
            .with_path(context.path())
            .with_request_id(context.extension().map(|id: &RequestId| Arc::clone(&id.0)))
            .with_peer(context.peer())
            .with_subprotocol(context.selected_subprotocol())
            .with_principal(principal.map(|principal| Arc::clone(&principal.id))),
        limits: Arc::clone(&route.limits),
        hooks: Arc::clone(app) as _,
        expires_in: principal
            .and_then(|principal| principal.expires_at)
            .map(|at| {
                // Expired already: the session ends at its first turn.
                at.duration_since(SystemTime::now()).unwrap_or_default()
            }),
        slot,
        newest_wins: route.principal_cap.as_ref().and_then(|cap| {
            let frame = cap.closes_oldest.clone()?;
            Some((cap.max, frame))
        }),
        guards: context.guards(),
    }
}
