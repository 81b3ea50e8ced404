//! A Wharf app inside an actix application that exists already.

use actix_web::{HttpServer, web};
use wharf::{App, BoxError, Result, Route, prelude::*};

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

#[actix_web::main]
async fn main() -> std::result::Result<(), BoxError> {
    let address = std::env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let app = App::builder().route(Route::new("/echo", echo)).build()?;
    let server = HttpServer::new(move || {
        actix_web::App::new()
            .route("/health", web::get().to(async || "ok"))
            .configure(wharf::actix::mount("/ws", app.clone()))
    })
    .tcp_nodelay(true)
    .client_disconnect_timeout(std::time::Duration::ZERO)
    .bind(address)?;
    println!("listening on {}", server.addrs()[0]);
    server.run().await?;
    Ok(())
}
