//! What is known of a session while it lives.

use std::{
    fmt,
    net::{SocketAddr, SocketAddrV4, SocketAddrV6},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use crate::message::ConnectionId;

/// What is known of a session while it lives: what observers and logs are given.
#[derive(Clone)]
pub struct SessionInfo {
    id: ConnectionId,
    way: Arc<Way>,
    peer: Peer,
    /// In microseconds since 1970: half the room of a system time.
    since: u64,
    /// `None` where there is nothing in it.
    rare: Option<Box<Rare>>,
}

/// What sessions have in common that came the same way.
#[derive(Debug, Default)]
pub(crate) struct Way {
    pub(crate) route: Arc<str>,
    pub(crate) pattern: Arc<str>,
    pub(crate) method: &'static str,
    pub(crate) driver: &'static str,
}

/// More ways to a route than this are not kept: a prefix may differ from request to request.
const MAX_WAYS: usize = 8;

/// The ways to a route: few, as a rule, so that its sessions share them.
#[derive(Debug)]
pub(crate) struct Ways {
    pattern: Arc<str>,
    known: Mutex<Vec<Arc<Way>>>,
}

impl Ways {
    pub(crate) fn new(pattern: Arc<str>) -> Self {
        let known = Mutex::default();
        Self { pattern, known }
    }

    /// The way of a request to the app where it is mounted under `prefix`.
    pub(crate) fn get_or_add(
        &self,
        prefix: &str,
        method: &'static str,
        driver: &'static str,
    ) -> Arc<Way> {
        let is_it = |way: &Way| {
            way.route.strip_prefix(prefix) == Some(&*self.pattern)
                && (way.method, way.driver) == (method, driver)
        };
        // The guarded section only looks and pushes.
        let mut ways = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = ways.iter().find(|known| is_it(known)) {
            return Arc::clone(known);
        }
        if ways.len() == MAX_WAYS {
            ways.remove(0);
        }
        let way = Arc::new(Way {
            route: match prefix {
                "" => Arc::clone(&self.pattern),
                prefix => format!("{prefix}{}", self.pattern).into(),
            },
            pattern: Arc::clone(&self.pattern),
            method,
            driver,
        });
        ways.push(Arc::clone(&way));
        way
    }
}

/// Both kinds of addresses, in half the room.
#[derive(Debug, Clone, Default)]
enum Peer {
    #[default]
    Unknown,
    V4(SocketAddrV4),
    V6(Box<SocketAddrV6>),
}

#[derive(Debug, Clone, Default)]
struct Rare {
    /// Where it is not the pattern.
    path: Option<Arc<str>>,
    request_id: Option<Arc<str>>,
    subprotocol: Option<Arc<str>>,
    principal: Option<Arc<str>>,
}

impl SessionInfo {
    /// A session that begins now.
    pub(crate) fn new(id: ConnectionId, way: Arc<Way>) -> Self {
        Self {
            id,
            way,
            peer: Peer::Unknown,
            since: 0,
            rare: None,
        }
        .begun()
    }

    /// The same, begun only now.
    pub(crate) fn begun(mut self) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let micros = since.unwrap_or_default().as_micros();
        self.since = u64::try_from(micros).unwrap_or_default();
        self
    }

    pub(crate) fn with_peer(mut self, peer: Option<SocketAddr>) -> Self {
        self.peer = match peer {
            None => Peer::Unknown,
            Some(SocketAddr::V4(peer)) => Peer::V4(peer),
            Some(SocketAddr::V6(peer)) => Peer::V6(Box::new(peer)),
        };
        self
    }

    pub(crate) fn with_path(mut self, path: &str) -> Self {
        if *path != *self.way.pattern {
            self.rare().path = Some(path.into());
        }
        self
    }

    pub(crate) fn with_request_id(mut self, id: Option<Arc<str>>) -> Self {
        if id.is_some() {
            self.rare().request_id = id;
        }
        self
    }

    pub(crate) fn with_subprotocol(mut self, subprotocol: Option<Arc<str>>) -> Self {
        if subprotocol.is_some() {
            self.rare().subprotocol = subprotocol;
        }
        self
    }

    pub(crate) fn with_principal(mut self, principal: Option<Arc<str>>) -> Self {
        if principal.is_some() {
            self.rare().principal = principal;
        }
        self
    }

    /// The connection.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    pub(crate) fn way(&self) -> Arc<Way> {
        Arc::clone(&self.way)
    }

    pub(super) fn id_ref(&self) -> &ConnectionId {
        &self.id
    }

    /// The route's pattern behind the prefix that the app is mounted under: what logs and figures
    /// of the server around the app call it too.
    pub fn route(&self) -> &str {
        &self.way.route
    }

    /// The route's pattern as the app has it, wherever it is mounted.
    pub fn pattern(&self) -> &str {
        &self.way.pattern
    }

    /// The method of the request: `GET`, or `CONNECT` over HTTP/2.
    pub fn method(&self) -> &'static str {
        self.way.method
    }

    /// The path of the request behind that prefix, raw and without its query.
    pub fn path(&self) -> &str {
        let rare = self.rare.as_deref();
        let path = rare.and_then(|rare| rare.path.as_deref());
        path.unwrap_or(&self.way.pattern)
    }

    /// The id of the request, where [`RequestIdLayer`](crate::middleware::RequestIdLayer) gave it
    /// one.
    pub fn request_id(&self) -> Option<&str> {
        self.rare.as_ref()?.request_id.as_deref()
    }

    /// The driver's name.
    pub fn driver(&self) -> &'static str {
        self.way.driver
    }

    /// The peer's address, the forwarded one behind a trusted proxy.
    pub fn peer(&self) -> Option<SocketAddr> {
        match &self.peer {
            Peer::Unknown => None,
            Peer::V4(peer) => Some((*peer).into()),
            Peer::V6(peer) => Some((**peer).into()),
        }
    }

    /// The selected subprotocol.
    pub fn subprotocol(&self) -> Option<&str> {
        self.rare.as_ref()?.subprotocol.as_deref()
    }

    /// The principal's id.
    pub fn principal(&self) -> Option<&str> {
        self.rare.as_ref()?.principal.as_deref()
    }

    /// The same, to be kept.
    pub fn shared_principal(&self) -> Option<Arc<str>> {
        self.rare.as_ref()?.principal.clone()
    }

    /// When it began.
    pub fn since(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(self.since)
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

impl fmt::Debug for SessionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionInfo")
            .field("id", &self.id)
            .field("route", &self.route())
            .field("pattern", &self.pattern())
            .field("method", &self.method())
            .field("path", &self.path())
            .field("request_id", &self.request_id())
            .field("driver", &self.driver())
            .field("peer", &self.peer())
            .field("subprotocol", &self.subprotocol())
            .field("principal", &self.principal())
            .field("since", &self.since())
            .finish()
    }
}
