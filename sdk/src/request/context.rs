//! The upgrade request and what middleware learned from it.

use std::{any::Any, fmt, net::SocketAddr, sync::Arc};

use http::{Extensions, HeaderMap, HeaderName, Method, Uri};
use serde::de::DeserializeOwned;

use crate::{
    message::{ConnectionId, Error, ErrorKind, Result},
    request::{head::UpgradeRequest, params::Params, principal::Principal},
    session::{Guards, SessionInfo, Way},
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
    received: Arc<Received>,
    /// Apart from the request, which is large: whoever changes it while somebody keeps a clone
    /// copies this alone.
    learned: Arc<Learned>,
}

/// What came, and where to.
#[derive(Clone)]
struct Received {
    id: ConnectionId,
    request: UpgradeRequest,
    client: Option<SocketAddr>,
    driver: &'static str,
    /// The app, which this floor does not know; a client has none.
    app: Option<Arc<dyn Any + Send + Sync>>,
    state: Arc<Extensions>,
}

/// What was found out about it.
#[derive(Clone, Default)]
struct Learned {
    /// Once a route is found.
    way: Option<Arc<Way>>,
    params: Params,
    offers: Vec<String>,
    chosen: Option<Choice>,
    subprotocol: Option<Arc<str>>,
    principal: Option<Arc<Principal>>,
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
        app: Option<Arc<dyn Any + Send + Sync>>,
        state: Arc<Extensions>,
    ) -> Self {
        let known = request.extensions.get::<Principal>();
        let learned = Learned {
            principal: known.cloned().map(Arc::new),
            ..Learned::default()
        };
        Self {
            received: Arc::new(Received {
                id: ConnectionId::next(),
                request,
                client,
                driver,
                app,
                state,
            }),
            learned: Arc::new(learned),
        }
    }

    /// The same as a client knows it: of this session, or of the one that it tried to get.
    pub(crate) fn dialled(mut self, session: &SessionInfo) -> Self {
        Arc::make_mut(&mut self.received).id = session.id();
        let learned = self.edit();
        learned.way = Some(session.way());
        learned.subprotocol = session.subprotocol().map(Into::into);
        self
    }

    /// The connection's id.
    pub fn id(&self) -> ConnectionId {
        self.received.id
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.received.request.method
    }

    /// The path and query, raw.
    pub fn uri(&self) -> &Uri {
        &self.received.request.uri
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
        &self.received.request.headers
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

    /// A cookie's value, as it was sent, without the quotes that may be around it. `None` if there is
    /// none of this name, or more than one: which of them is meant, nobody can say.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let lines = self.headers().get_all(http::header::COOKIE).iter();
        let pairs = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value);
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        let unquoted = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'));
        Some(unquoted.unwrap_or(value))
    }

    /// A path parameter, percent-decoded.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.learned.params.get(name)
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
        self.learned.params.iter()
    }

    /// The address of the client: the forwarded one behind a trusted proxy, else the peer's.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.received.client
    }

    /// The address at the other end of the connection, proxy or not.
    pub fn connection_peer(&self) -> Option<SocketAddr> {
        self.received.request.peer
    }

    /// Whether the client speaks TLS, to this server or to a trusted proxy in front of it.
    pub fn is_secure(&self) -> bool {
        self.received.request.is_secure
    }

    /// The driver's name: for logs only.
    pub fn driver(&self) -> &'static str {
        self.received.driver
    }

    /// The route's pattern behind the prefix that the app is mounted under; empty before a route is
    /// found.
    pub fn route(&self) -> &str {
        self.learned.way.as_ref().map_or("", |way| &way.route)
    }

    /// The route's pattern as the app has it, wherever it is mounted; empty before a route is found.
    pub fn pattern(&self) -> &str {
        self.learned.way.as_ref().map_or("", |way| &way.pattern)
    }

    pub(crate) fn way(&self) -> Arc<Way> {
        self.learned.way.clone().unwrap_or_default()
    }

    /// Whether this asks for a WebSocket; in an HTTP fallback it does not.
    pub fn is_upgrade(&self) -> bool {
        self.received.request.is_upgrade()
    }

    /// What a client of server-sent events got last, if it resumes.
    pub fn last_event_id(&self) -> Option<&str> {
        self.header("last-event-id")
    }

    /// The subprotocols that the client offers, in its order.
    pub fn offered_subprotocols(&self) -> &[String] {
        &self.learned.offers
    }

    /// The selected subprotocol: chosen by middleware, or negotiated when the chain is through.
    pub fn subprotocol(&self) -> Option<&str> {
        match (&self.learned.subprotocol, &self.learned.chosen) {
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
            Some(name) if self.learned.offers.iter().any(|offer| offer == name) => {
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
        self.learned.principal.as_ref()
    }

    /// Says who connects. A middleware that does declares it: see
    /// [`Middleware::authenticates`](crate::Middleware::authenticates).
    pub fn set_principal(&mut self, principal: Principal) {
        self.edit().principal = Some(Arc::new(principal));
    }

    /// A value of the app, set when it was built.
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.received.state.get()
    }

    /// A value that middleware set, or what the server around the app knows of the request.
    pub fn extension<T: Send + Sync + 'static>(&self) -> Option<&T> {
        let set = self.learned.extensions.get();
        set.or_else(|| self.received.request.extensions.get())
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
        let received = Arc::make_mut(&mut self.received);
        received.request.headers.insert(name, value);
    }

    pub(crate) fn request(&self) -> &UpgradeRequest {
        &self.received.request
    }

    /// The app that decides.
    pub(crate) fn app(&self) -> Option<&Arc<dyn Any + Send + Sync>> {
        self.received.app.as_ref()
    }

    pub(crate) fn set_way(&mut self, way: Arc<Way>, params: Params) {
        let inner = self.edit();
        inner.way = Some(way);
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
        let selected = match &self.learned.chosen {
            Some(Choice::None) => None,
            Some(Choice::One(name)) => Some(name.clone()),
            None => prefer(&self.learned.offers)?,
        };
        if let Some(selected) = selected {
            self.edit().subprotocol = Some(Arc::from(selected));
        }
        Ok(())
    }

    pub(crate) fn selected_subprotocol(&self) -> Option<Arc<str>> {
        self.learned.subprotocol.clone()
    }

    pub(crate) fn guards(&self) -> Guards {
        self.learned.guards.clone()
    }

    /// Copies if somebody kept a clone.
    fn edit(&mut self) -> &mut Learned {
        Arc::make_mut(&mut self.learned)
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
