//! An app, checked and ready to be carried by any driver.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Extensions, Response};
use tokio::sync::Semaphore;

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
    /// Those who are told by a socket that there is no place for one.
    pub(crate) beyond_caps: Arc<Semaphore>,
}

impl AppInner {
    /// The response for an error before the upgrade, which it carries for those who are told.
    pub(super) fn refuse(&self, error: Error, context: &Context) -> Response<Bytes> {
        let mapped = caught(|| self.mapper.as_ref()?.response(&error, context)).filter(|mapped| {
            let is_earned = !mapped.status().is_informational();
            if !is_earned {
                tracing::error!(status = %mapped.status(), "an error mapper answered with 1xx");
            }
            is_earned
        });
        let mut response = mapped.unwrap_or_else(|| problem_response(&error, self.is_debug));
        response.extensions_mut().insert(Arc::new(error));
        response
    }
}

impl SessionHooks for AppInner {
    fn registry(&self) -> Option<&Registry> {
        Some(&self.registry)
    }

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
        let mapped = caught(|| self.mapper.as_ref()?.close_frame(error));
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

/// A mapper that panics maps nothing.
fn caught<T>(map: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(map)).unwrap_or_else(|panic| {
        let error = Error::panicked(panic);
        tracing::error!(
            cause = error.cause_chain(),
            "an error mapper panicked; it is passed by"
        );
        None
    })
}

impl std::fmt::Debug for dyn ErrorMapper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ErrorMapper")
    }
}
