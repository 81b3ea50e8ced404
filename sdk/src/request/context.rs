//! The upgrade request and what middleware learned from it.

use std::{fmt, net::SocketAddr, sync::Arc};

use http::{Extensions, HeaderMap, HeaderName, Method, Uri};
use serde::de::DeserializeOwned;

use crate::{
    message::{ConnectionId, Error, ErrorKind, Result},
    request::{head::UpgradeRequest, params::Params, principal::Principal},
    session::Guards,
};

/// One upgrade request, from its first check to the end of its session.
///
/// Middleware changes it; handlers get it as it is then. Cloning is cheap.
///
/// ```
/// use wharf_sdk::{App, Context, Route, Socket, testing::TestHost};
/// # use wharf_sdk::Result;
///
/// async fn join(context: Context, mut socket: Socket) -> Result<()> {
///     let room = context.param("room").unwrap_or_default();
///     let agent = context.header_or("user-agent", "somebody");
///     socket.write(format!("{agent} in {room} by {}", context.route())).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let host = TestHost::new(App::builder().route(Route::new("/rooms/{room}", join)).build()?);
/// let mut client = host.connect("/rooms/lobby").header("user-agent", "curl").await;
/// client.expect_text("curl in lobby by /rooms/{room}").await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    id: ConnectionId,
    request: UpgradeRequest,
    client: Option<SocketAddr>,
    driver: &'static str,
    route: Option<Arc<str>>,
    params: Params,
    offers: Vec<String>,
    chosen: Option<Choice>,
    subprotocol: Option<Arc<str>>,
    principal: Option<Arc<Principal>>,
    has_authenticator: bool,
    state: Arc<Extensions>,
    extensions: Extensions,
    guards: Guards,
}

/// A subprotocol that middleware chose.
#[derive(Clone)]
enum Choice {
    None,
    One(String),
}

impl Context {
    pub(crate) fn new(
        request: UpgradeRequest,
        client: Option<SocketAddr>,
        driver: &'static str,
        state: Arc<Extensions>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                id: ConnectionId::next(),
                request,
                client,
                driver,
                route: None,
                params: Params::default(),
                offers: Vec::new(),
                chosen: None,
                subprotocol: None,
                principal: None,
                has_authenticator: false,
                state,
                extensions: Extensions::new(),
                guards: Guards::default(),
            }),
        }
    }

    /// The connection's id.
    pub fn id(&self) -> ConnectionId {
        self.inner.id
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.inner.request.method
    }

    /// The path and query, raw.
    pub fn uri(&self) -> &Uri {
        &self.inner.request.uri
    }

    /// The path, raw: not percent-decoded.
    pub fn path(&self) -> &str {
        self.uri().path()
    }

    /// The query, raw and without its `?`.
    pub fn query(&self) -> Option<&str> {
        self.uri().query()
    }

    /// The query, decoded into a type.
    ///
    /// # Errors
    ///
    /// `WHARF_QUERY`, a 400, naming what does not fit.
    pub fn query_as<T: DeserializeOwned>(&self) -> Result<T> {
        serde_urlencoded::from_str(self.query().unwrap_or_default()).map_err(|error| {
            Error::new(
                ErrorKind::BadRequest,
                "WHARF_QUERY",
                format!("the query does not fit: {error}"),
            )
        })
    }

    /// The header lines.
    pub fn headers(&self) -> &HeaderMap {
        &self.inner.request.headers
    }

    /// A header's first value, if it is text. Names are case-insensitive.
    pub fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// A header's first value, or this.
    pub fn header_or<'a>(
        &'a self,
        name: impl http::header::AsHeaderName,
        default: &'a str,
    ) -> &'a str {
        self.header(name).unwrap_or(default)
    }

    /// A path parameter, percent-decoded.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.inner.params.get(name)
    }

    /// A path parameter, parsed.
    ///
    /// # Errors
    ///
    /// `WHARF_PATH_PARAMETER`, a 400, naming the parameter.
    pub fn param_as<T: std::str::FromStr>(&self, name: &'static str) -> Result<T> {
        self.param(name)
            .and_then(|value| value.parse().ok())
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::BadRequest,
                    "WHARF_PATH_PARAMETER",
                    format!("the path parameter {name} is missing or of the wrong form"),
                )
            })
    }

    /// All path parameters, percent-decoded, in the pattern's order.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.inner.params.iter()
    }

    /// The address of the client: the forwarded one behind a trusted proxy, else the peer's.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.inner.client
    }

    /// The address at the other end of the connection, proxy or not.
    pub fn connection_peer(&self) -> Option<SocketAddr> {
        self.inner.request.peer
    }

    /// The driver's name: for logs only.
    pub fn driver(&self) -> &'static str {
        self.inner.driver
    }

    /// The route's pattern; empty before a route is found.
    pub fn route(&self) -> &str {
        self.inner.route.as_deref().unwrap_or_default()
    }

    /// Whether this asks for a WebSocket; in an HTTP fallback it does not.
    pub fn is_upgrade(&self) -> bool {
        self.inner.request.is_upgrade()
    }

    /// The subprotocols that the client offers, in its order.
    pub fn offered_subprotocols(&self) -> &[String] {
        &self.inner.offers
    }

    /// The selected subprotocol: chosen by middleware, or negotiated when the chain is through.
    pub fn subprotocol(&self) -> Option<&str> {
        match (&self.inner.subprotocol, &self.inner.chosen) {
            (Some(selected), _) => Some(selected),
            (None, Some(Choice::One(chosen))) => Some(chosen),
            _ => None,
        }
    }

    /// Chooses a subprotocol instead of the route's preference; `None` chooses to select none.
    ///
    /// # Errors
    ///
    /// `WHARF_SUBPROTOCOL_NOT_OFFERED` for one that the client did not offer: it would have to
    /// fail the connection.
    pub fn choose_subprotocol(&mut self, choice: Option<&str>) -> Result<()> {
        let choice = match choice {
            None => Choice::None,
            Some(name) if self.inner.offers.iter().any(|offer| offer == name) => {
                Choice::One(name.to_owned())
            }
            Some(_) => {
                return Err(Error::new(
                    ErrorKind::BadRequest,
                    "WHARF_SUBPROTOCOL_NOT_OFFERED",
                    "the subprotocol to select was not offered by the client; offer it in \
                     Sec-WebSocket-Protocol",
                ));
            }
        };
        self.edit().chosen = Some(choice);
        Ok(())
    }

    /// Removes an offer, such as a token that travels as one: it is then never selected.
    pub fn hide_offer(&mut self, offer: &str) {
        self.edit().offers.retain(|other| other != offer);
    }

    /// Who connects, once an authenticator has said so.
    pub fn principal(&self) -> Option<&Arc<Principal>> {
        self.inner.principal.as_ref()
    }

    /// Says who connects.
    pub fn set_principal(&mut self, principal: Principal) {
        self.edit().principal = Some(Arc::new(principal));
    }

    /// Says that an authenticator looked at the request, whether or not it found a principal.
    /// Without one, routes that require a principal fail closed.
    pub fn mark_authenticated(&mut self) {
        self.edit().has_authenticator = true;
    }

    /// A value of the app, set when it was built.
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.inner.state.get()
    }

    /// A value that middleware set.
    pub fn extension<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.inner.extensions.get()
    }

    /// Sets a value for the handler and for later middleware.
    pub fn insert<T: Clone + Send + Sync + 'static>(&mut self, value: T) {
        self.edit().extensions.insert(value);
    }

    /// Keeps a value until the session ends, on whatever path; if there is no session, until the
    /// request is answered.
    ///
    /// A semaphore's permit, for example: middleware that takes one for `param("room")` limits the
    /// members of each room.
    pub fn hold<T: Send + Sync + 'static>(&mut self, guard: T) {
        self.edit().guards.hold(guard);
    }

    /// Sets or replaces a request header, for later middleware and the handler.
    pub fn set_header(&mut self, name: HeaderName, value: http::HeaderValue) {
        self.edit().request.headers.insert(name, value);
    }

    pub(crate) fn request(&self) -> &UpgradeRequest {
        &self.inner.request
    }

    pub(crate) fn has_authenticator(&self) -> bool {
        self.inner.has_authenticator
    }

    pub(crate) fn set_route(&mut self, route: Arc<str>, params: Params) {
        let inner = self.edit();
        inner.route = Some(route);
        inner.params = params;
    }

    pub(crate) fn set_offers(&mut self, offers: Vec<String>) {
        self.edit().offers = offers;
    }

    /// Settles the subprotocol by `prefer`, unless middleware chose.
    pub(crate) fn settle_subprotocol(
        &mut self,
        prefer: impl FnOnce(&[String]) -> Result<Option<String>>,
    ) -> Result<()> {
        let selected = match &self.inner.chosen {
            Some(Choice::None) => None,
            Some(Choice::One(name)) => Some(name.clone()),
            None => prefer(&self.inner.offers)?,
        };
        self.edit().subprotocol = selected.map(Arc::from);
        Ok(())
    }

    pub(crate) fn selected_subprotocol(&self) -> Option<Arc<str>> {
        self.inner.subprotocol.clone()
    }

    pub(crate) fn guards(&self) -> Guards {
        self.inner.guards.clone()
    }

    /// Copies if a middleware kept a clone.
    fn edit(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.inner)
    }
}

/// Prints the route and the connection, never headers or the query: they carry credentials.
impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("id", &self.id())
            .field("method", self.method())
            .field("route", &self.route())
            .field("peer", &self.peer())
            .finish_non_exhaustive()
    }
}
