//! An app, checked and ready to be carried by any driver.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Extensions, Response};

use super::{entry::RouteEntry, mapper::ErrorMapper, matcher::Matcher, observer::Observers};
use crate::{
    message::{CloseCode, CloseFrame, CloseOutcome, Error},
    request::{Context, TrustedProxies, problem_response},
    session::{Caps, Counts, Registry, SessionHooks, SessionInfo},
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
    pub(crate) fn error_response(&self, error: &Error, context: &Context) -> Response<Bytes> {
        let mapped = self
            .mapper
            .as_ref()
            .and_then(|mapper| mapper.response(error, context));
        mapped.unwrap_or_else(|| problem_response(error, self.is_debug))
    }
}

impl SessionHooks for AppInner {
    fn upgraded(&self, info: &SessionInfo) {
        self.observers.upgraded(info);
    }

    fn failed(&self, info: &SessionInfo, error: &Error) {
        self.observers.failed(info, error);
    }

    fn closed(
        &self,
        info: &SessionInfo,
        outcome: &CloseOutcome,
        duration: Duration,
        counts: Counts,
    ) {
        self.observers.closed(info, outcome, duration, counts);
    }

    /// What failed is hidden outside debug mode.
    fn close_frame_for(&self, error: &Error) -> CloseFrame {
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
