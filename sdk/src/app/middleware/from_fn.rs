//! Closures as middleware.

use async_trait::async_trait;
use futures::future::BoxFuture;

use crate::{
    app::middleware::{Middleware, Next},
    message::Result,
    request::{Context, Response},
};

/// Makes a middleware of a closure.
///
/// ```
/// use wharf_sdk::middleware::from_fn;
///
/// let log = from_fn(|context, next| {
///     Box::pin(async move {
///         println!("{} asks for {}", context.id(), context.route());
///         next.run(context).await
///     })
/// });
/// # let _ = log;
/// ```
pub fn from_fn<F>(function: F) -> FromFn<F>
where
    F: for<'a> Fn(&'a mut Context, Next<'a>) -> BoxFuture<'a, Result<Response>>
        + Send
        + Sync
        + 'static,
{
    FromFn { function }
}

/// What [`from_fn`] returns.
#[derive(Clone, Copy)]
pub struct FromFn<F> {
    function: F,
}

#[async_trait]
impl<F> Middleware for FromFn<F>
where
    F: for<'a> Fn(&'a mut Context, Next<'a>) -> BoxFuture<'a, Result<Response>>
        + Send
        + Sync
        + 'static,
{
    async fn handle(&self, context: &mut Context, next: Next<'_>) -> Result<Response> {
        (self.function)(context, next).await
    }
}

impl<F> std::fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FromFn")
    }
}
