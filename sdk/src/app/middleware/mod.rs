//! Code around the decision to upgrade.

mod auth;
mod authorize;
mod credential;
mod from_fn;
mod rate_limit;
mod refusal;
mod request_id;
mod set_header;
mod trace;

use std::{panic::AssertUnwindSafe, sync::Arc};

use async_trait::async_trait;
use futures::{FutureExt, future::BoxFuture};

pub use self::{
    auth::{Authenticate, api_key, bearer, cookie, subprotocol_token},
    credential::Credential,
    from_fn::{authenticator, from_fn},
    rate_limit::UpgradeRate,
    refusal::Refusal,
    request_id::{RequestId, RequestIdLayer},
    set_header::SetHeader,
    trace::Trace,
};
pub(crate) use self::{authorize::Authorize, trace::session_span};
pub use crate::handler::MessageRate;
use crate::{
    message::{Error, Result},
    request::{Context, Response},
};

/// Runs before the upgrade, around everything further in. An `async fn(Context, Next) ->
/// Result<Response>` is one, and so is an async closure in [`from_fn()`].
///
/// First added is outermost: of an app, a group and a route, the app's run first, and within each
/// in the order in which they were added. A middleware may
///
/// - answer itself, by not calling `next`: what is further in never sees the request;
/// - refuse, by returning an error: the app's error mapper makes the response;
/// - change the context for what is further in;
/// - change the response on its way out, the 101 included, such as by adding headers. A refusal
///   further in, a panic too, comes back as a response like any other.
///
/// The whole chain runs under the route's upgrade timeout; the 504 beyond it is not the chain's.
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
///     async fn handle(&self, context: Context, next: Next) -> Result<Response> {
///         if context.header("x-password") != Some(self.0) {
///             return Err(Error::reject(StatusCode::FORBIDDEN, "say the word"));
///         }
///         Ok(next.run(context).await)
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
    async fn handle(&self, context: Context, next: Next) -> Result<Response>;

    /// Whether it calls [`Context::set_principal`] for whom it knows. Routes that require a
    /// principal are refused by `build()` without a middleware that does.
    fn authenticates(&self) -> bool {
        false
    }

    /// Where it finds what it verifies, if it authenticates: for route snapshots and documents.
    fn credential(&self) -> Option<Credential> {
        None
    }

    /// What it refuses requests with by itself, whatever is further in: for documents.
    fn refusals(&self) -> Vec<Refusal> {
        Vec::new()
    }
}

/// The rest of the chain, and at its end the decision to upgrade.
pub struct Next {
    chain: Arc<dyn Chain>,
    at: usize,
}

impl Next {
    /// The whole chain.
    pub(crate) fn all(chain: Arc<dyn Chain>) -> Self {
        Self { chain, at: 0 }
    }

    /// Runs the rest of the chain.
    ///
    /// A refusal further in is a response as well. Why it was refused is in its extensions, as an
    /// `Arc<Error>`: what observers are told.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the rest of the chain, as the upgrade timeout and a client that
    /// leaves do. What must be undone then belongs into [`Context::hold`].
    pub async fn run(self, context: Context) -> Response {
        let Self { chain, at } = self;
        chain.entered(&context);
        let answer = async {
            match chain.middleware(at) {
                Some(AnyMiddleware(first)) => {
                    let chain = Arc::clone(&chain);
                    first.handle(context, Self { chain, at: at + 1 }).await
                }
                None => chain.end(context).await,
            }
        };
        match AssertUnwindSafe(answer).catch_unwind().await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => chain.refuse(error),
            Err(panic) => chain.refuse(Error::panicked(panic)),
        }
    }
}

impl std::fmt::Debug for Next {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Next")
            .field("at", &self.at)
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

    pub(crate) fn authenticates(&self) -> bool {
        self.0.authenticates()
    }

    pub(crate) fn credential(&self) -> Option<Credential> {
        self.0.credential()
    }

    #[cfg(feature = "asyncapi")]
    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        self.0.refusals()
    }
}

impl std::fmt::Debug for AnyMiddleware {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Middleware")
    }
}

/// One request's way through a route's middleware to the decision.
pub(crate) trait Chain: Send + Sync {
    /// The middleware at this place; the first is outermost.
    fn middleware(&self, at: usize) -> Option<&AnyMiddleware>;

    /// The context as it is on entering the next middleware, or the end.
    fn entered(&self, context: &Context);

    /// The decision.
    fn end(&self, context: Context) -> BoxFuture<'_, Result<Response>>;

    /// The response for an error, which it carries.
    fn refuse(&self, error: Error) -> Response;
}
