//! The axum driver, as a server of its own and nested in a router that exists already.

use std::net::SocketAddr;

use async_trait::async_trait;
use axum::{
    Router,
    extract::ws::{Message, WebSocket},
    routing::get,
};
use futures::FutureExt;
use tokio::net::TcpListener;
use wharf_sdk::{App, Error, Result, Socket, driver::Capabilities};

use super::{Certificate, Host, NativeUse, Running, TcpServer};

/// `wharf_axum::server`, with HTTP/2 for who knows of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct AxumHost;

#[async_trait]
impl Host for AxumHost {
    fn capabilities(&self) -> Capabilities {
        Capabilities::wire(wharf_axum::DRIVER)
            .with_native(true)
            .with_extended_connect(true)
    }

    async fn serve(&self, app: App) -> Box<dyn Running> {
        let start = async move || {
            let server = wharf_axum::server(app).tcp("127.0.0.1:0").http2();
            let server = server.bind().await.expect("a free port");
            (server.local_addr(), server.run())
        };
        Box::new(TcpServer::start(start).await.with_http2())
    }

    fn native_ping(&self) -> Option<NativeUse> {
        Some(|socket| ping(socket).boxed())
    }

    fn native_echo(&self) -> Option<NativeUse> {
        Some(|socket| echo(socket).boxed())
    }
}

/// `wharf_axum::router_server` over TLS: a whole router, in which the app is mounted.
#[derive(Debug, Clone, Copy, Default)]
pub struct AxumTlsHost;

impl AxumTlsHost {
    /// The same as [`Host::serve`], with the server's own type.
    pub async fn start(&self, app: App) -> TcpServer {
        let certificate = Certificate::generate();
        let tls = certificate.to_tls();
        let start = async move || {
            let router = Router::new()
                .route("/neighbour", get(async || "undisturbed"))
                .fallback_service(wharf_axum::service(app.clone()));
            let server = wharf_axum::router_server(app, router).tcp("127.0.0.1:0");
            let server = server.tls(tls).http2().bind().await.expect("a free port");
            (server.local_addr(), server.run())
        };
        let server = TcpServer::start(start).await.over_tls(certificate);
        server.with_http2()
    }
}

#[async_trait]
impl Host for AxumTlsHost {
    fn capabilities(&self) -> Capabilities {
        AxumHost.capabilities()
    }

    async fn serve(&self, app: App) -> Box<dyn Running> {
        Box::new(self.start(app).await)
    }

    fn native_ping(&self) -> Option<NativeUse> {
        AxumHost.native_ping()
    }

    fn native_echo(&self) -> Option<NativeUse> {
        AxumHost.native_echo()
    }

    fn is_secure(&self) -> bool {
        true
    }
}

/// `wharf_axum::router` nested beside other routes, on `axum::serve`.
#[derive(Debug, Clone, Copy, Default)]
pub struct NestedAxumHost;

impl NestedAxumHost {
    /// The same as [`Host::serve`], with the server's own type.
    pub async fn start(&self, app: App) -> TcpServer {
        let start = async move || {
            let router = Router::new()
                .route("/neighbour", get(async || "undisturbed"))
                .nest_service("/nested/app", wharf_axum::service(app));
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("an address");
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            (address, axum::serve(listener, service).into_future())
        };
        TcpServer::start(start).await.under("/nested/app")
    }
}

#[async_trait]
impl Host for NestedAxumHost {
    fn capabilities(&self) -> Capabilities {
        // What `axum::serve` makes of HTTP/2 is for its own features to say.
        AxumHost.capabilities().with_extended_connect(false)
    }

    async fn serve(&self, app: App) -> Box<dyn Running> {
        Box::new(self.start(app).await)
    }

    fn native_ping(&self) -> Option<NativeUse> {
        AxumHost.native_ping()
    }

    fn native_echo(&self) -> Option<NativeUse> {
        AxumHost.native_echo()
    }
}

async fn ping(socket: &mut Socket) -> Result<()> {
    let native = socket.native_as::<WebSocket>().await?;
    native
        .send(Message::Ping("native".into()))
        .await
        .map_err(Error::handler)
}

async fn echo(socket: &mut Socket) -> Result<()> {
    let native = socket.native_as::<WebSocket>().await?;
    let ready = native.send(Message::Text("ready".into())).await;
    ready.map_err(Error::handler)?;
    let message = native
        .recv()
        .await
        .ok_or_else(|| Error::handler("the end"))?;
    native
        .send(message.map_err(Error::handler)?)
        .await
        .map_err(Error::handler)
}
