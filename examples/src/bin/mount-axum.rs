//! A Wharf app inside an axum application that exists already.

use std::net::SocketAddr;

use axum::{Router, routing::get};
use tokio::net::TcpListener;
use wharf::{App, BoxError, Result, Route, prelude::*};

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> std::result::Result<(), BoxError> {
    let address = std::env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let app = App::builder().route(Route::new("/echo", echo)).build()?;
    let router: Router = Router::new()
        .route("/health", get(async || "ok"))
        .nest_service("/ws", wharf::axum::service(app));
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await?;
    Ok(())
}
