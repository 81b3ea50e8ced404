//! The inspector as it is written down.

use std::{fmt, future::Future, sync::Arc, time::Duration};

#[cfg(feature = "hub")]
use wharf_hub::Hub;
use wharf_sdk::{
    AppBuilder, AppHandle, Configure, Context, Group, Observer, OriginPolicy, Principal, Response,
    Result, Route, Socket, Subprotocols,
};

use crate::{
    action::Action,
    contents::Contents,
    door::Door,
    look::Looks,
    page,
    rooms::Rooms,
    tell::Tell,
    watch::{self, Watch},
};

/// How many may watch at once: each costs a walk over what it shows.
const MAX_WATCHERS: usize = 16;

/// The largest message that a page sends.
const MAX_WISH_BYTES: usize = 16 * 1024;

/// A page that shows an app's sockets as they live. See the [crate].
#[must_use = "an inspector shows nothing until it is mounted"]
pub struct Inspector<Door = NoDoor> {
    path: String,
    door: Door,
    parts: Parts,
}

#[derive(Default)]
struct Parts {
    actions: Vec<Action>,
    contents: Option<Contents>,
    rooms: Rooms,
}

/// Nobody has said yet who may see it.
#[derive(Debug)]
pub struct NoDoor(());

/// Somebody has.
pub struct Guarded(Door);

impl Inspector {
    /// An inspector at this path, which nobody may see yet.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            door: NoDoor(()),
            parts: Parts::default(),
        }
    }

    /// Lets in whose token `verify` turns into a principal; as for
    /// [`bearer`](wharf_sdk::middleware::bearer), `None` is for one that is not valid.
    pub fn verified_by<F, Fut>(self, verify: F) -> Inspector<Guarded>
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Principal>>> + Send + 'static,
    {
        self.behind(Door::verified_by(verify))
    }

    /// Lets everybody in who reaches the server. Peers' addresses and principals are on the page.
    pub fn dangerously_open(self) -> Inspector<Guarded> {
        self.behind(Door::open())
    }

    fn behind(self, door: Door) -> Inspector<Guarded> {
        Inspector {
            path: self.path,
            door: Guarded(door),
            parts: self.parts,
        }
    }
}

impl<Door> Inspector<Door> {
    /// Allows an action; without any, the page only shows.
    pub fn allow(mut self, action: Action) -> Self {
        self.parts.actions.push(action);
        self
    }

    /// Shows what is in the messages of a session that is followed, as far as this allows; without,
    /// only their kinds and sizes.
    pub fn show_contents(mut self, contents: Contents) -> Self {
        self.parts.contents = Some(contents);
        self
    }

    /// Shows the hub's rooms, and lets publish to them where that is allowed.
    #[cfg(feature = "hub")]
    pub fn hub(mut self, hub: Hub) -> Self {
        self.parts.rooms = Some(hub);
        self
    }
}

impl Inspector<Guarded> {
    /// Lets in only principals with all of these scopes.
    pub fn require_scopes<I: IntoIterator<Item: Into<String>>>(mut self, scopes: I) -> Self {
        let scopes = scopes.into_iter().map(Into::into);
        self.door.0.scopes.extend(scopes);
        self
    }

    /// Adds the inspector to an app: its routes, and the observer that hears what happens.
    pub fn mount(self, app: AppBuilder) -> AppBuilder {
        let (group, observer) = self.into_parts();
        app.group(group).observer(observer)
    }

    /// The routes and the observer, for those who put them together themselves. The page shows what
    /// the observer hears: an app needs both.
    pub fn into_parts(self) -> (Group, impl Observer) {
        let door = self.door.0;
        let tell = Tell::default();
        let watch = Watch {
            tell: tell.clone(),
            looks: Arc::new(Looks::default()),
            actions: self.parts.actions.into(),
            contents: self.parts.contents,
            rooms: self.parts.rooms,
        };
        let page_door = door.clone();
        let route = Route::new(
            self.path,
            move |app: AppHandle, principal: Principal, socket: Socket| {
                watch::run(watch.clone(), app, principal, socket)
            },
        );
        let route = route
            .fallback(move |context: Context| {
                let door = page_door.clone();
                async move { answer(&door, &context).await }
            })
            .middleware(door)
            .require_auth()
            // Whatever the app's is: what is shown and done here is for the page alone.
            .origins(OriginPolicy::same_origin())
            .subprotocols(Subprotocols::optional([page::SUBPROTOCOL]))
            .max_connections(MAX_WATCHERS)
            .max_message_bytes(MAX_WISH_BYTES)
            .heartbeat(Duration::from_secs(25), Duration::from_secs(20))
            .named("inspector");
        (Group::new("").route(route), tell)
    }
}

async fn answer(door: &Door, context: &Context) -> Response {
    match door.enter(context).await {
        Ok(visitor) => page::page(&visitor, context.is_secure()),
        Err(error) => page::refusal(&error, context),
    }
}

impl<Door> fmt::Debug for Inspector<Door> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector")
            .field("path", &self.path)
            .field("actions", &self.parts.actions)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guarded")
    }
}
