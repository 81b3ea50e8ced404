#![doc = include_str!("../README.md")]

mod answer;
mod body;
mod convert;
mod error;
mod kernel;
mod lend;
mod lobby;
mod native;
mod server;
mod transport;
mod upgrade;
mod worker;

use actix_web::web::ServiceConfig;
use wharf_sdk::{App, Result, ShutdownReport};

pub use self::{native::NativeSession, server::Server};

/// The driver's name, as observers and snapshots see it.
pub const DRIVER: &str = "actix";

/// Mounts the app under a prefix of an application that exists already; an empty prefix takes
/// every path that nothing else does.
///
/// Set `TCP_NODELAY` on the server (`HttpServer::tcp_nodelay(true)`): without it, small messages
/// wait for acknowledgements of earlier ones. And set `client_disconnect_timeout` to zero: without
/// it, actix keeps a connection for up to a second after its close handshake, waiting for the
/// client to end it, which RFC 6455 leaves to the server.
///
/// ```no_run
/// # async fn run(app: wharf_sdk::App) -> std::io::Result<()> {
/// use actix_web::{App, HttpServer, web};
///
/// HttpServer::new(move || {
///     App::new()
///         .route("/health", web::get().to(async || "ok"))
///         .configure(wharf_actix::mount("/ws", app.clone()))
/// })
/// .tcp_nodelay(true)
/// .client_disconnect_timeout(std::time::Duration::ZERO)
/// .bind("127.0.0.1:3000")?
/// .run()
/// .await
/// # }
/// ```
pub fn mount(prefix: &str, app: App) -> impl FnOnce(&mut ServiceConfig) + use<> {
    upgrade::mount(prefix.to_owned(), app)
}

/// Binds an address. The server accepts once it is [run](Server::run).
///
/// # Errors
///
/// `WHARF_BIND` if the address cannot be bound.
pub async fn bind(app: App, address: &str) -> Result<Server> {
    Server::bind(app, address).await
}

/// Binds an address and serves the app until it is shut down or the process is told to stop.
///
/// # Errors
///
/// `WHARF_BIND` if the address cannot be bound, kind `Io` if accepting fails for good.
///
/// # Cancel safety
///
/// As [`Server::run`].
pub async fn serve(app: App, address: &str) -> Result<ShutdownReport> {
    bind(app, address).await?.run().await
}
