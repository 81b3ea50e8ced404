#![doc = include_str!("../README.md")]

mod convert;
mod error;
mod native;
mod transport;
mod upgrade;

use axum::Router;
use wharf_hyper::Driver;
use wharf_sdk::{App, Result, ShutdownReport};

pub use self::{transport::NativeWebSocket, upgrade::Service};
#[cfg(feature = "tls")]
pub use wharf_hyper::Tls;
/// hyper's server: what `serve` runs.
pub use wharf_hyper::{Server, ServerBuilder};

/// The driver's name, as observers and snapshots see it.
pub const DRIVER: &str = "axum";

/// What axum adds to hyper: its own socket.
const CARRIED: Driver = Driver::new(DRIVER).with_native(transport::make_native);

/// Makes a router that carries the app, to be served or merged. Under a prefix, use
/// [`service`] with `nest_service`: axum lets a nested router's fallback see fewer paths. Merged, it
/// is the router's fallback: there can be no other, and unknown paths get the app's 404.
///
/// Serve it with `into_make_service_with_connect_info::<SocketAddr>()` so that the app learns its
/// peers' addresses. `TCP_NODELAY` is set on every upgraded TCP connection.
///
/// ```no_run
/// # async fn run(app: wharf_sdk::App) -> std::io::Result<()> {
/// let router = axum::Router::new()
///     .route("/health", axum::routing::get(async || "ok"))
///     .nest_service("/ws", wharf_axum::service(app));
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// let service = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
/// axum::serve(listener, service).await
/// # }
/// ```
pub fn router<S: Clone + Send + Sync + 'static>(app: App) -> Router<S> {
    Router::new().fallback_service(service(app))
}

/// Makes a service that carries the app, for `nest_service`, `route_service` and
/// `fallback_service`, or for any other tower server.
///
/// Serve the router with `into_make_service_with_connect_info::<SocketAddr>()`: without it the app
/// does not know its peers' addresses, and cannot limit connections by them.
pub fn service(app: App) -> Service {
    Service::new(app)
}

/// Begins a server for the app alone with more than an address: several of them, TLS, limits.
pub fn server(app: App) -> ServerBuilder {
    ServerBuilder::new(app, CARRIED)
}

/// Begins a server for a whole router, in which the app is mounted: the same server, with its
/// deadlines, cap, TLS, HTTP/2 and workers, for pages beside the sockets. It ends when the app is
/// shut down. Handlers find `ConnectInfo<SocketAddr>` as with `axum::serve`.
///
/// ```no_run
/// # async fn run(app: wharf_sdk::App) -> wharf_sdk::Result<()> {
/// let router = axum::Router::new()
///     .route("/health", axum::routing::get(async || "ok"))
///     .nest_service("/ws", wharf_axum::service(app.clone()));
/// let server = wharf_axum::router_server(app, router).tcp("0.0.0.0:3000");
/// server.bind().await?.run().await?;
/// # Ok(())
/// # }
/// ```
pub fn router_server(app: App, router: Router) -> ServerBuilder {
    let router = router.layer(axum::middleware::map_request(async |request| {
        convert::with_connect_info(request)
    }));
    server(app).serving(router)
}

/// Binds an address and serves a whole router, in which the app is mounted, until the app is shut
/// down or the process is told to stop. What else a server can do: [`router_server`].
///
/// # Errors
///
/// `WHARF_BIND` if the address cannot be bound.
///
/// # Cancel safety
///
/// As [`Server::run`].
pub async fn serve_router(app: App, router: Router, address: &str) -> Result<ShutdownReport> {
    let server = router_server(app, router).tcp(address);
    server.bind().await?.run().await
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
