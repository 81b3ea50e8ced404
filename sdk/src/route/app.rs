//! An app, checked and ready to be carried by any driver.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Extensions, Response};

use super::{AppBuilder, AppHandle, ErrorMapper, RouteSnapshot, matcher::Matcher};
use crate::{
    auth::AuthRule,
    close::{CloseCode, CloseFrame},
    error::{Error, Result},
    handler::AnyHandler,
    middleware::AnyMiddleware,
    observer::Observers,
    policy::Limits,
    session::registry::{Caps, Registry, RouteCount},
    upgrade::{self, Context, Decision, Params, TrustedProxies, UpgradeRequest},
};

/// Routes with their handlers and policies, ready to be served or mounted on any driver.
///
/// Cloning is cheap: clones share routes and connections.
///
/// ```
/// # use wharf_sdk::{App, Result, Route, Socket};
/// # async fn echo(mut socket: Socket) -> Result<()> {
/// #     while let Some(message) = socket.read().await? {
/// #         socket.write(message).await?;
/// #     }
/// #     Ok(())
/// # }
/// # fn main() -> Result<()> {
/// let app = App::builder().route(Route::new("/echo", echo).named("echo")).build()?;
///
/// assert_eq!(app.routes()[0].name.as_deref(), Some("echo"));
/// assert_eq!(app.handle().connections(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct App {
    pub(super) inner: Arc<AppInner>,
}

impl App {
    /// Starts an app without routes.
    pub fn builder() -> AppBuilder {
        AppBuilder::default()
    }

    /// Watches and ends the app's sessions.
    pub fn handle(&self) -> AppHandle {
        AppHandle {
            inner: Arc::clone(&self.inner),
        }
    }

    /// All routes with everything in effect on them.
    pub fn routes(&self) -> Vec<RouteSnapshot> {
        self.inner
            .routes
            .iter()
            .map(|route| RouteSnapshot::from(&**route))
            .collect()
    }

    /// Decides on a request: what a driver calls.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives back everything that the request holds.
    pub async fn decide(&self, request: UpgradeRequest, driver: &'static str) -> Decision {
        upgrade::decide(&self.inner, request, driver).await
    }
}

#[derive(Debug)]
pub(crate) struct AppInner {
    pub(super) matcher: Matcher,
    pub(super) routes: Vec<Arc<RouteEntry>>,
    pub(crate) observers: Observers,
    pub(super) mapper: Option<Box<dyn ErrorMapper>>,
    pub(crate) state: Arc<Extensions>,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) caps: Caps,
    pub(super) is_debug: bool,
    pub(crate) is_tls: bool,
    pub(crate) registry: Arc<Registry>,
}

impl AppInner {
    pub(crate) fn find(&self, path: &str) -> Result<(Arc<RouteEntry>, Params)> {
        self.matcher.find(path)
    }

    pub(crate) fn error_response(&self, error: &Error, context: &Context) -> Response<Bytes> {
        let mapped = self
            .mapper
            .as_ref()
            .and_then(|mapper| mapper.response(error, context));
        mapped.unwrap_or_else(|| upgrade::problem_response(error, self.is_debug))
    }

    /// The close frame that a handler's error asks for. What failed is hidden outside debug mode.
    pub(crate) fn close_frame_for(&self, error: &Error) -> CloseFrame {
        // A mapper that panics maps nothing.
        let map = AssertUnwindSafe(|| self.mapper.as_ref()?.close_frame(error));
        let mapped = catch_unwind(map).unwrap_or_default();
        if let Some(frame) = mapped.or_else(|| error.close_frame().cloned()) {
            return frame;
        }
        let reason = match error.cause_chain() {
            chain if self.is_debug && !chain.is_empty() => format!("{}: {chain}", error.code()),
            _ if self.is_debug => error.to_string(),
            _ => String::new(),
        };
        CloseFrame::cut(CloseCode::INTERNAL, &reason)
    }
}

impl std::fmt::Debug for dyn ErrorMapper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ErrorMapper")
    }
}

/// What answers a plain request.
pub(crate) type AnyFallback =
    Arc<dyn Fn(Context) -> BoxFuture<'static, Response<Bytes>> + Send + Sync>;

/// One route with all that it inherited.
pub(crate) struct RouteEntry {
    pub(crate) pattern: Arc<str>,
    pub(crate) name: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) auth: AuthRule,
    pub(crate) limits: Arc<Limits>,
    pub(crate) middleware: Vec<AnyMiddleware>,
    pub(crate) handler: AnyHandler,
    pub(crate) fallback: Option<AnyFallback>,
    pub(crate) count: Arc<RouteCount>,
}

impl std::fmt::Debug for RouteEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RouteEntry")
            .field("pattern", &self.pattern)
            .finish_non_exhaustive()
    }
}
