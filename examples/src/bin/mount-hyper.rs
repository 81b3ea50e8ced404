//! A Wharf app beside other paths of a server on bare hyper.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use hyper::{
    Request, Response, body::Incoming, server::conn::http1, service::Service, service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use wharf::{
    App, BoxError, Result, Route, driver::UpgradeRequest, hyper::ConnectionInfo, prelude::*,
};

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

/// Everything below `/ws` is Wharf's; its routes do not know the prefix.
async fn answer(
    app: App,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> std::result::Result<Response<wharf::hyper::Body>, Infallible> {
    if request.uri().path() == "/health" {
        return Ok(Response::new(wharf::hyper::Body::Left("ok".into())));
    }
    if request.uri().path().starts_with("/ws/")
        && let Some(uri) = UpgradeRequest::unprefixed(request.uri(), 1)
    {
        *request.uri_mut() = uri;
    }
    request.extensions_mut().insert(ConnectionInfo {
        peer: Some(peer),
        is_secure: false,
    });
    let service = TowerToHyperService::new(wharf::hyper::service(app));
    service.call(request).await
}

async fn serve(app: App, stream: TcpStream, peer: SocketAddr) {
    let service = service_fn(move |request| answer(app.clone(), peer, request));
    // With upgrades: the connection is handed over behind the 101.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(5))
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = connection.await {
        eprintln!("a connection ended early: {error}");
    }
}

#[tokio::main]
async fn main() -> std::result::Result<(), BoxError> {
    let address = std::env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let app = App::builder().route(Route::new("/echo", echo)).build()?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        tokio::spawn(serve(app.clone(), stream, peer));
    }
}
