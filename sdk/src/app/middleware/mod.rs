//! Code around the decision to upgrade.

mod auth;
mod from_fn;
#[cfg(feature = "rate-limit")]
mod rate_limit;
mod request_id;
mod set_header;
mod trace;

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;

#[cfg(feature = "rate-limit")]
pub use self::rate_limit::UpgradeRate;
pub use self::{
    auth::{Authenticate, bearer, subprotocol_token},
    from_fn::{FromFn, from_fn},
    request_id::{RequestId, RequestIdLayer},
    set_header::SetHeader,
    trace::Trace,
};
use crate::{
    message::Result,
    request::{Context, Response},
};

/// Runs before the upgrade, around everything further in.
///
/// First added is outermost: of an app, a group and a route, the app's run first, and within each
/// in the order in which they were added. A middleware may
///
/// - answer itself, by not calling `next`: that response is sent untouched;
/// - refuse, by returning an error: the app's error mapper makes the response;
/// - change the context for what is further in;
/// - change the response on its way out, the 101 included, such as by adding headers.
///
/// The whole chain runs under the route's upgrade timeout, and a panic in it is a 500 and no more.
///
/// ```
/// use wharf_sdk::{
///     App, Context, Error, Middleware, Next, Response, Result, Route, Socket, async_trait,
///     http::StatusCode, testing::TestHost,
/// };
///
/// /// Lets in who knows the word.
/// struct Password(&'static str);
///
/// #[async_trait]
/// impl Middleware for Password {
///     async fn handle(&self, context: &mut Context, next: Next<'_>) -> Result<Response> {
///         if context.header("x-password") != Some(self.0) {
///             return Err(Error::reject(StatusCode::FORBIDDEN, "say the word"));
///         }
///         next.run(context).await
///     }
/// }
/// # async fn echo(mut socket: Socket) -> Result<()> {
/// #     while let Some(message) = socket.read().await? {
/// #         socket.write(message).await?;
/// #     }
/// #     Ok(())
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let app = App::builder().middleware(Password("sesame")).route(Route::new("/echo", echo)).build()?;
/// let host = TestHost::new(app);
/// host.connect("/echo").expect_rejected(403).await;
/// host.connect("/echo").header("x-password", "sesame").await;
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Middleware: Send + Sync + 'static {
    /// Handles one request.
    ///
    /// # Errors
    ///
    /// What refuses the upgrade.
    async fn handle(&self, context: &mut Context, next: Next<'_>) -> Result<Response>;
}

/// The rest of the chain, and at its end the decision to upgrade.
pub struct Next<'a> {
    rest: &'a [AnyMiddleware],
    end: &'a dyn ChainEnd,
}

impl<'a> Next<'a> {
    pub(crate) fn new(rest: &'a [AnyMiddleware], end: &'a dyn ChainEnd) -> Self {
        Self { rest, end }
    }

    /// Runs the rest of the chain.
    ///
    /// # Errors
    ///
    /// What refuses the upgrade further in. Pass it on, or answer in its place.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the rest of the chain, as the upgrade timeout and a client that
    /// leaves do. What must be undone then belongs into [`Context::hold`].
    pub async fn run(self, context: &mut Context) -> Result<Response> {
        match self.rest.split_first() {
            Some((first, rest)) => first.0.handle(context, Next::new(rest, self.end)).await,
            None => self.end.reach(context).await,
        }
    }
}

impl std::fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Next")
            .field("rest", &self.rest.len())
            .finish_non_exhaustive()
    }
}

/// A middleware of any type, shared by the routes that inherit it.
#[derive(Clone)]
pub(crate) struct AnyMiddleware(Arc<dyn Middleware>);

impl AnyMiddleware {
    pub(crate) fn new(middleware: impl Middleware) -> Self {
        Self(Arc::new(middleware))
    }
}

impl std::fmt::Debug for AnyMiddleware {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Middleware")
    }
}

/// What stands at the end of a chain: the decision to upgrade.
pub(crate) trait ChainEnd: Send + Sync {
    fn reach<'a>(&'a self, context: &'a mut Context) -> BoxFuture<'a, Result<Response>>;
}
