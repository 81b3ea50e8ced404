//! A Wharf app beside warp's filters. Wharf's server carries both, so its caps, deadlines and TLS
//! hold for the filters, too.

use std::convert::Infallible;

use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
};
use tower::{ServiceExt, service_fn};
use warp::Filter;
use wharf::{App, BoxError, Result, Route, driver::UpgradeRequest, prelude::*};

type Body = UnsyncBoxBody<Bytes, BoxError>;

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

/// Everything below `/ws` is Wharf's; its routes do not know the prefix.
async fn sockets(app: App, mut request: Request<Incoming>) -> Response<Body> {
    if let Some(uri) = UpgradeRequest::unprefixed(request.uri(), 1) {
        *request.uri_mut() = uri;
    }
    let Ok(response) = wharf::hyper::service(app).oneshot(request).await;
    response.map(|body| body.map_err(Into::into).boxed_unsync())
}

async fn pages(request: Request<Incoming>) -> Response<Body> {
    let health = warp::path!("health").map(|| "ok".to_owned());
    let Ok(response) = warp::service(health).oneshot(request).await;
    response.map(|body| body.map_err(Into::into).boxed_unsync())
}

#[tokio::main]
async fn main() -> std::result::Result<(), BoxError> {
    let address = std::env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let app = App::builder().route(Route::new("/echo", echo)).build()?;
    let mounted = app.clone();
    let both = service_fn(move |request: Request<Incoming>| {
        let app = mounted.clone();
        async move {
            Ok::<_, Infallible>(if request.uri().path().starts_with("/ws/") {
                sockets(app, request).await
            } else {
                pages(request).await
            })
        }
    });
    let server = wharf::hyper::server(app)
        .tcp(address)
        .serving(both)
        .bind()
        .await?;
    println!("listening on {}", server.local_addr());
    server.run().await?;
    Ok(())
}
