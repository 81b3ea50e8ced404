//! Functions as middleware.

use std::future::Future;

use async_trait::async_trait;

use crate::{
    app::middleware::{Middleware, Next, Refusal},
    message::Result,
    request::{Context, Response},
};

/// An async function or closure is a middleware as it is.
#[async_trait]
impl<F, Fut> Middleware for F
where
    F: Fn(Context, Next) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response>> + Send + 'static,
{
    async fn handle(&self, context: Context, next: Next) -> Result<Response> {
        self(context, next).await
    }
}

/// Lets the compiler infer a closure's arguments; functions need no help.
///
/// ```
/// use wharf_sdk::{App, Context, Next, Response, Result, middleware::from_fn};
///
/// async fn log(context: Context, next: Next) -> Result<Response> {
///     let asked = format!("{} asks for {}", context.id(), context.route());
///     let response = next.run(context).await;
///     println!("{asked}: {}", response.status());
///     Ok(response)
/// }
///
/// let app = App::builder()
///     .middleware(log)
///     .middleware(from_fn(async |mut context, next| {
///         context.insert("learned here");
///         Ok(next.run(context).await)
///     }));
/// # let _ = app;
/// ```
pub fn from_fn<F, Fut>(function: F) -> F
where
    F: Fn(Context, Next) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response>> + Send + 'static,
{
    function
}

/// Declares that a function authenticates: it calls [`Context::set_principal`] for whom it knows.
/// Routes that require a principal refuse to be built without a middleware that does.
///
/// ```
/// use wharf_sdk::{
///     App, Context, Next, Principal, Response, Result, Route, Socket, middleware::authenticator,
///     testing::TestHost,
/// };
///
/// async fn by_cookie(mut context: Context, next: Next) -> Result<Response> {
///     if context.header("cookie") == Some("session=42") {
///         context.set_principal(Principal::new("alice"));
///     }
///     Ok(next.run(context).await)
/// }
///
/// async fn hello(principal: Principal, mut socket: Socket) -> Result<()> {
///     socket.write(format!("hello {}", principal.id)).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let app = App::builder()
///     .middleware(authenticator(by_cookie))
///     .route(Route::new("/hello", hello).require_auth())
///     .build()?;
/// let host = TestHost::new(app);
/// host.connect("/hello").expect_rejected(401).await;
/// host.connect("/hello").header("cookie", "session=42").await.expect_text("hello alice").await;
/// # Ok(())
/// # }
/// ```
pub fn authenticator<F, Fut>(function: F) -> impl Middleware
where
    F: Fn(Context, Next) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response>> + Send + 'static,
{
    Authenticating(function)
}

struct Authenticating<F>(F);

#[async_trait]
impl<F: Middleware> Middleware for Authenticating<F> {
    async fn handle(&self, context: Context, next: Next) -> Result<Response> {
        self.0.handle(context, next).await
    }

    fn authenticates(&self) -> bool {
        true
    }

    fn refusals(&self) -> Vec<Refusal> {
        self.0.refusals()
    }
}
