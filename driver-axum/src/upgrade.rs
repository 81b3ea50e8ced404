//! Requests to sockets.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use axum::body::Body;
use futures::future::BoxFuture;
use http::{Request, Response};
use hyper::upgrade::OnUpgrade;
use tokio::time::timeout;
use wharf_sdk::{
    App,
    driver::{Decision, HANDOVER_TIMEOUT, Upgrade},
};

use crate::{DRIVER, convert, transport};

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
            let head = convert::to_upgrade_request(&request);
            let on_upgrade = hyper::upgrade::on(&mut request);
            Ok(match app.decide(head, DRIVER).await {
                Decision::Respond(response) => convert::from_response(response),
                Decision::Upgrade(upgrade) => {
                    let mut response = Response::new(Body::empty());
                    *response.status_mut() = upgrade.response().status();
                    response
                        .headers_mut()
                        .clone_from(upgrade.response().headers());
                    tokio::spawn(run(on_upgrade, upgrade));
                    response
                }
            })
        })
    }
}

/// Runs the session once hyper hands the connection over.
async fn run(on_upgrade: OnUpgrade, upgrade: Upgrade) {
    let session = match timeout(HANDOVER_TIMEOUT, on_upgrade).await {
        Ok(Ok(upgraded)) => transport::run(upgraded, upgrade),
        Ok(Err(error)) => return upgrade.fail(error),
        Err(late) => return upgrade.fail(late),
    };
    session.await;
}
