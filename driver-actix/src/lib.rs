#![doc = include_str!("../README.md")]

mod answer;
mod beside;
mod body;
mod convert;
mod error;
mod handover;
mod lend;
mod link;
mod mount;
mod native;
mod server;
mod transport;
mod upgrade;
mod worker;

use actix_web::web::ServiceConfig;
use wharf_sdk::{App, Result, ShutdownReport};

pub use self::{beside::on_connect, mount::Mount, native::NativeSession, server::Server};

#[cfg(feature = "tls")]
pub use wharf_sdk::driver::{Tls, rustls};

/// The driver's name, as observers and snapshots see it.
pub const DRIVER: &str = "actix";

/// Mounts the app under a prefix of an application that exists already; an empty prefix takes
/// every path that nothing else does. [`Mount`] does the same with choices.
///
/// The server stays actix's, and some of what a server of Wharf's own does is for it to do:
///
/// - [`on_connect`](on_connect()) lets the app end connections whose peer does not read. Without it
///   `TCP_NODELAY` has to be set (`tcp_nodelay(true)`), or small messages wait for
///   acknowledgements of earlier ones; and a peer that reads nothing keeps its connection behind its
///   session's end until it leaves. It keeps its place in the app's caps as long.
/// - `client_disconnect_timeout(Duration::ZERO)`: else actix keeps a connection for up to a second
///   after its close handshake, waiting for the client to end it, which RFC 6455 leaves to the
///   server.
/// - `max_connections` is 25,000 a worker unless it is set, which may be more than the process has
///   descriptors. Nobody is put out when it is reached: `client_request_timeout` (5 s) bounds
///   first heads, `keep_alive` (5 s) what is idle, and nothing an answer of plain HTTP that nobody
///   reads.
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
/// .on_connect(wharf_actix::on_connect)
/// .max_connections(5_000)
/// .client_disconnect_timeout(std::time::Duration::ZERO)
/// .bind("127.0.0.1:3000")?
/// .run()
/// .await
/// # }
/// ```
pub fn mount(prefix: &str, app: App) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let mount = Mount::new(prefix, app);
    let is_everywhere = prefix.is_empty();
    move |config| {
        if is_everywhere {
            config.default_service(mount.into_route());
        } else {
            config.service(mount);
        }
    }
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
