#![doc = include_str!("../README.md")]

mod accept;
mod bounded;
mod connection;
mod convert;
mod driver;
mod error;
#[cfg(feature = "http2")]
mod http2;
mod kept;
mod listen;
mod served;
mod server;
mod settings;
mod stream;
#[cfg(feature = "tls")]
mod tls;
mod transport;
mod upgrade;
mod worker;

use wharf_sdk::{App, Result, ShutdownReport};

pub use self::{
    convert::{Body, ConnectionInfo, EventFrames},
    driver::Driver,
    listen::Address,
    server::{Server, ServerBuilder},
    upgrade::{Service, answer},
};
#[cfg(feature = "tls")]
pub use wharf_sdk::driver::{Tls, rustls};

/// The driver's name, as observers and snapshots see it.
pub const DRIVER: &str = "hyper";

/// Makes a service that carries the app, for whatever serves tower services on hyper. `B` is the
/// body of its requests.
///
/// Insert a [`ConnectionInfo`] into the extensions of requests: without it the app does not know
/// its peers' addresses, and cannot limit connections by them. Serve the connection with upgrades
/// (`with_upgrades`), and give request heads a deadline.
pub fn service(app: App) -> Service {
    Service::new(app, Driver::new(DRIVER))
}

/// Begins a server with more than an address: several of them, TLS, limits, workers.
///
/// ```no_run
/// # async fn run(app: wharf_sdk::App) -> wharf_sdk::Result<()> {
/// let server = wharf_hyper::server(app)
///     .tcp("0.0.0.0:3000")
///     .unix("/run/chat.sock")
///     .max_connections(50_000)
///     .bind()
///     .await?;
/// server.run().await?;
/// # Ok(())
/// # }
/// ```
pub fn server(app: App) -> ServerBuilder {
    ServerBuilder::new(app, Driver::new(DRIVER))
}

/// Binds an address. The server accepts once it is [run](Server::run).
///
/// # Errors
///
/// `WHARF_BIND` if the address cannot be bound.
pub async fn bind(app: App, address: &str) -> Result<Server> {
    server(app).tcp(address).bind().await
}

/// Binds an address and serves the app until it is shut down or the process is told to stop.
///
/// # Errors
///
/// `WHARF_BIND` if the address cannot be bound.
///
/// # Cancel safety
///
/// As [`Server::run`].
pub async fn serve(app: App, address: &str) -> Result<ShutdownReport> {
    bind(app, address).await?.run().await
}
