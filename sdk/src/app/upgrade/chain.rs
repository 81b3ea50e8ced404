//! The way through a route's middleware to the decision.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Response, StatusCode};

use crate::{
    app::{
        app::AppInner,
        entry::RouteEntry,
        middleware::{AnyMiddleware, Chain},
    },
    handler::Prepared,
    message::{Error, Phase, Result},
    request::Context,
};

/// One request on its way. Middleware may keep its [`Next`](crate::Next), so that this may outlive
/// the decision; what comes too late changes nothing.
pub(super) struct RouteChain {
    app: Arc<AppInner>,
    route: Arc<RouteEntry>,
    /// As the last that was entered got it: what is told of a request that is refused.
    entered: Mutex<Context>,
    accepted: Mutex<Option<(Context, Prepared)>>,
    /// It asks for neither a socket nor events: the fallback's answer stands at the end.
    is_plain: bool,
}

impl RouteChain {
    pub(super) fn new(
        app: Arc<AppInner>,
        route: Arc<RouteEntry>,
        context: Context,
        is_plain: bool,
    ) -> Self {
        Self {
            app,
            route,
            entered: Mutex::new(context),
            accepted: Mutex::default(),
            is_plain,
        }
    }

    /// The handler with its arguments, if the chain came through to the end.
    pub(super) fn take_accepted(&self) -> Option<(Context, Prepared)> {
        lock(&self.accepted).take()
    }

    pub(super) fn last_entered(&self) -> Context {
        lock(&self.entered).clone()
    }

    /// Who got here may upgrade: what is left is what is spoken, and what the handler takes out of
    /// the request.
    async fn accept(&self, mut context: Context) -> Result<Response<Bytes>> {
        self.take_place(&mut context)?;
        let subprotocols = &self.route.limits.subprotocols;
        context.settle_subprotocol(|offers| subprotocols.choose(offers))?;
        let middleware = &self.route.message_middleware;
        let prepared = self.route.handler.prepare(&context, middleware).await;
        let prepared = prepared.map_err(|error| error.in_phase(Phase::Upgrade))?;
        let prepared = match (&self.route.reverify, context.principal()) {
            (Some(reverify), Some(who)) => reverify.clone().beside(Arc::clone(who), prepared),
            _ => prepared,
        };
        *lock(&self.accepted) = Some((context, prepared));
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        Ok(response)
    }
}

impl RouteChain {
    /// Counts the connection for its principal, where the route refuses more than so many.
    fn take_place(&self, context: &mut Context) -> Result<()> {
        let principal = context.principal().map(|who| Arc::clone(&who.id));
        let cap = self.route.principal_cap.as_ref();
        let Some((principal, cap)) = principal.zip(cap) else {
            return Ok(());
        };
        if cap.closes_oldest.is_none() {
            let place = self.route.count.admit_principal(&principal, cap.max);
            context.hold(place.map_err(|error| error.in_phase(Phase::Handshake))?);
        }
        Ok(())
    }
}

impl Chain for RouteChain {
    fn middleware(&self, at: usize) -> Option<&AnyMiddleware> {
        self.route.middleware.get(at)
    }

    fn entered(&self, context: &Context) {
        *lock(&self.entered) = context.clone();
    }

    fn end(&self, context: Context) -> BoxFuture<'_, Result<Response<Bytes>>> {
        match &self.route.fallback {
            Some(fallback) if self.is_plain => {
                Box::pin(async move { Ok((fallback.answer)(context).await) })
            }
            _ => Box::pin(self.accept(context)),
        }
    }

    fn refuse(&self, error: Error) -> Response<Bytes> {
        let error = error.in_phase(Phase::Middleware);
        self.app.refuse(error, &self.last_entered())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
