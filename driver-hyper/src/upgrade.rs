//! Requests to sockets.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use hyper::upgrade::OnUpgrade;
use tokio::time::timeout;
use wharf_sdk::{
    App,
    driver::{Decision, HANDOVER_TIMEOUT, Upgrade, UpgradeRequest},
};

use crate::{
    convert::{self, Body},
    driver::Driver,
    transport,
};

/// Answers a request; if it becomes a socket, the session runs on a task of its own once hyper
/// hands the connection over.
///
/// What a driver calls that has its own way from its framework's requests to an
/// [`UpgradeRequest`].
pub async fn answer(
    app: &App,
    driver: Driver,
    request: UpgradeRequest,
    on_upgrade: OnUpgrade,
) -> Response<Body> {
    match app.decide(request, driver.name).await {
        Decision::Respond(response) => convert::full(response),
        Decision::Stream(response) => convert::streamed(response),
        Decision::Upgrade(upgrade) => {
            let response = convert::full(upgrade.response().clone().map(|()| Bytes::new()));
            let running = run(on_upgrade, upgrade, driver);
            #[cfg(feature = "http2")]
            let running = crate::http2::on_same_stream(running);
            tokio::spawn(running);
            response
        }
    }
}

async fn run(on_upgrade: OnUpgrade, upgrade: Upgrade, driver: Driver) {
    match timeout(HANDOVER_TIMEOUT, on_upgrade).await {
        Ok(Ok(upgraded)) => transport::run(upgraded, upgrade, driver),
        Ok(Err(error)) => upgrade.fail(error),
        Err(late) => upgrade.fail(late),
    }
}

/// Carries an app as a tower service: see [`service`](crate::service).
#[derive(Debug, Clone)]
pub struct Service {
    app: App,
    driver: Driver,
}

impl Service {
    pub(crate) fn new(app: App, driver: Driver) -> Self {
        Self { app, driver }
    }
}

impl<B: Send + 'static> tower_service::Service<Request<B>> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Self { app, driver } = self.clone();
        Box::pin(async move {
            let on_upgrade = hyper::upgrade::on(&mut request);
            // The body is nobody's, and kept until the answer: a connection outlives an unread one.
            let (parts, _body) = request.into_parts();
            let head = convert::to_upgrade_request(parts);
            Ok(answer(&app, driver, head, on_upgrade).await)
        })
    }
}
