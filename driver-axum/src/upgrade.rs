//! Requests to sockets.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use axum::body::Body;
use futures::future::BoxFuture;
use http::{Request, Response};
use wharf_sdk::App;

use crate::{CARRIED, convert};

/// Carries an app as a tower service: see [`service`](crate::service).
#[derive(Debug, Clone)]
pub struct Service {
    app: App,
}

impl Service {
    pub(crate) fn new(app: App) -> Self {
        Self { app }
    }
}

impl tower_service::Service<Request<Body>> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let app = self.app.clone();
        Box::pin(async move {
            // First, so that no copy of the request's extensions keeps it.
            let on_upgrade = hyper::upgrade::on(&mut request);
            let head = convert::to_upgrade_request(&request);
            let response = wharf_hyper::answer(&app, CARRIED, head, on_upgrade).await;
            Ok(convert::from_response(response))
        })
    }
}
