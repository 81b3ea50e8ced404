//! What handlers take out of a request.

use std::sync::Arc;

use http::Extensions;
use serde::de::DeserializeOwned;

use crate::{
    handler::websocket::WebSocket,
    message::{Error, ErrorKind, Result},
    request::{Context, Principal},
    session::Socket,
};

/// A handler's argument, taken out of the upgrade request, or out of what the request names.
///
/// It is taken before the 101, behind middleware and authentication, and under the route's upgrade
/// timeout: what cannot be had refuses the upgrade.
///
/// ```
/// use wharf_sdk::{Context, Error, Result, Route, Socket, extract::FromContext, http::StatusCode};
/// # use wharf_sdk::{App, testing::TestHost};
/// # async fn find_room(name: &str) -> Result<Option<u32>> {
/// #     Ok((name == "lobby").then_some(20))
/// # }
///
/// /// A row of the database, which the path names.
/// struct Room { seats: u32 }
///
/// impl FromContext for Room {
///     async fn from_context(context: &Context) -> Result<Self> {
///         let name = context.param("room").unwrap_or_default();
///         match find_room(name).await? {
///             Some(seats) => Ok(Self { seats }),
///             None => Err(Error::reject(StatusCode::NOT_FOUND, "there is no such room")),
///         }
///     }
/// }
///
/// async fn join(room: Room, mut socket: Socket) -> Result<()> {
///     socket.write(format!("{} seats", room.seats)).await
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// # let host = TestHost::new(App::builder().route(Route::new("/rooms/{room}", join)).build()?);
///
/// host.connect("/rooms/lobby").await.expect_text("20 seats").await;
/// host.connect("/rooms/attic").expect_rejected(404).await;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be taken out of an upgrade request",
    note = "use `Context`, `Path<T>`, `Query<T>`, `State<T>`, `Extension<T>`, `Principal` or \
            `Option` of one of them, or implement `FromContext`"
)]
pub trait FromContext: Sized {
    /// Takes it out, before the upgrade: write `async fn from_context`.
    ///
    /// # Errors
    ///
    /// What refuses the upgrade; use a 4xx kind.
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits if the upgrade takes too long or the client leaves.
    fn from_context(context: &Context) -> impl Future<Output = Result<Self>> + Send;

    /// Whether a route that provides this can ever provide it; asked when the app is built.
    ///
    /// # Errors
    ///
    /// What is missing, and how to add it.
    fn check(provided: &Provided<'_>) -> Result<()> {
        let _ = provided;
        Ok(())
    }
}

/// What a route provides to its handler, known when the app is built.
#[derive(Debug)]
pub struct Provided<'a> {
    pub(crate) state: &'a Extensions,
    pub(crate) params: &'a [&'a str],
}

impl Provided<'_> {
    /// A value of the app.
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.state.get()
    }

    /// The names of the pattern's parameters, in order.
    pub fn params(&self) -> &[&str] {
        self.params
    }
}

/// A handler's last argument, made from its socket.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a socket",
    note = "the last argument of a handler is `Socket`, `Box<dyn WebSocket>`, `Typed<In, Out>`, or a \
            type of yours that implements `FromSocket`"
)]
pub trait FromSocket {
    /// Makes it.
    fn from_socket(socket: Socket) -> Self;
}

impl FromSocket for Socket {
    fn from_socket(socket: Socket) -> Self {
        socket
    }
}

impl FromSocket for Box<dyn WebSocket> {
    fn from_socket(socket: Socket) -> Self {
        Box::new(socket)
    }
}

impl FromContext for Context {
    async fn from_context(context: &Context) -> Result<Self> {
        Ok(context.clone())
    }
}

/// The query, decoded.
///
/// ```
/// use serde::Deserialize;
/// use wharf_sdk::{App, Query, Route, Socket, testing::TestHost};
/// # use wharf_sdk::Result;
///
/// #[derive(Deserialize)]
/// struct Paging {
///     #[serde(default)]
///     page: u32,
/// }
///
/// async fn list(Query(paging): Query<Paging>, mut socket: Socket) -> Result<()> {
///     socket.write(format!("page {}", paging.page)).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let host = TestHost::new(App::builder().route(Route::new("/list", list)).build()?);
/// host.connect("/list?page=2").await.expect_text("page 2").await;
/// host.connect("/list").await.expect_text("page 0").await;
/// host.connect("/list?page=two").expect_rejected(400).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + Send> FromContext for Query<T> {
    async fn from_context(context: &Context) -> Result<Self> {
        context.query_as().map(Self)
    }
}

/// The path parameters, decoded: a struct of them by name, a tuple in order, or a single value.
///
/// ```
/// use wharf_sdk::{App, Path, Route, Socket, testing::TestHost};
/// # use wharf_sdk::Result;
///
/// async fn seat(Path((row, number)): Path<(char, u32)>, mut socket: Socket) -> Result<()> {
///     socket.write(format!("row {row}, seat {number}")).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let host = TestHost::new(App::builder().route(Route::new("/{row}/{number}", seat)).build()?);
/// host.connect("/B/7").await.expect_text("row B, seat 7").await;
/// host.connect("/B/seven").expect_rejected(400).await;
///
/// // What does not fit the pattern is found when the app is built.
/// assert!(App::builder().route(Route::new("/{row}", seat)).build().is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromContext for Path<T> {
    async fn from_context(context: &Context) -> Result<Self> {
        let invalid = |detail: String| {
            Error::new(
                ErrorKind::BadRequest,
                "WHARF_PATH_PARAMETER",
                format!("the path parameters do not fit: {detail}"),
            )
        };
        super::path::from_params(context.params().collect())
            .map(Self)
            .map_err(|error| invalid(error.to_string()))
    }

    fn check(provided: &Provided<'_>) -> Result<()> {
        match super::path::misfit::<T>(provided.params()) {
            None => Ok(()),
            Some(why) => Err(Error::config(format!(
                "{why}; let Path<{}> and the pattern agree",
                std::any::type_name::<T>()
            ))),
        }
    }
}

/// A value of the app, set when it was built.
///
/// ```
/// use wharf_sdk::{App, Route, Socket, State, testing::TestHost};
/// # use wharf_sdk::Result;
///
/// #[derive(Clone)]
/// struct Motto(&'static str);
///
/// async fn motto(State(motto): State<Motto>, mut socket: Socket) -> Result<()> {
///     socket.write(motto.0).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let app = App::builder().state(Motto("fair winds")).route(Route::new("/", motto)).build()?;
/// TestHost::new(app).connect("/").await.expect_text("fair winds").await;
///
/// // State that was forgotten is found when the app is built.
/// assert!(App::builder().route(Route::new("/", motto)).build().is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromContext for State<T> {
    async fn from_context(context: &Context) -> Result<Self> {
        context
            .state()
            .cloned()
            .map(Self)
            .ok_or_else(missing_state::<T>)
    }

    fn check(provided: &Provided<'_>) -> Result<()> {
        let state = provided.state::<T>();
        state.map(drop).ok_or_else(missing_state::<T>)
    }
}

fn missing_state<T>() -> Error {
    let name = std::any::type_name::<T>();
    Error::config(format!(
        "the handler takes State<{name}>; add one with AppBuilder::state"
    ))
}

/// A value that middleware set, or that the server around a mounted app put into its request.
///
/// ```
/// use wharf_sdk::{
///     App, Extension, Route, Socket, middleware::{RequestId, RequestIdLayer}, testing::TestHost,
/// };
/// # use wharf_sdk::Result;
///
/// async fn id(Extension(id): Extension<RequestId>, mut socket: Socket) -> Result<()> {
///     socket.write(&*id.0).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let app = App::builder().middleware(RequestIdLayer).route(Route::new("/", id)).build()?;
/// let mut client = TestHost::new(app).connect("/").header("x-request-id", "r-1").await;
/// client.expect_text("r-1").await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromContext for Extension<T> {
    async fn from_context(context: &Context) -> Result<Self> {
        let found = context.extension::<T>().cloned();
        found.map(Self).ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                "WHARF_MISSING_EXTENSION",
                "the server has no such extension; let a middleware set it with \
                     Context::insert",
            )
            .with_context("type", std::any::type_name::<T>())
        })
    }
}

impl FromContext for Arc<Principal> {
    async fn from_context(context: &Context) -> Result<Self> {
        context.principal().cloned().ok_or_else(|| {
            Error::new(
                ErrorKind::Unauthorized,
                "WHARF_UNAUTHORIZED",
                "connect with a valid credential",
            )
        })
    }
}

impl FromContext for Principal {
    async fn from_context(context: &Context) -> Result<Self> {
        let principal = Arc::<Self>::from_context(context).await?;
        Ok((*principal).clone())
    }
}

/// `None` where it cannot be taken.
impl<T: FromContext + Send> FromContext for Option<T> {
    async fn from_context(context: &Context) -> Result<Self> {
        Ok(T::from_context(context).await.ok())
    }
}
