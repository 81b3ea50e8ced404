//! The actix driver, as a server of its own and in a scope of an application that exists already.

use std::net::TcpListener;

use actix_web::{HttpServer, web};
use async_trait::async_trait;
use std::future::poll_fn;

use futures::{FutureExt, StreamExt};
use send_wrapper::SendWrapper;
use wharf_sdk::{App, Error, Result, Socket, driver::Capabilities};

use super::{Certificate, Host, NativeUse, Running, TcpServer};

/// `wharf_actix::bind`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ActixHost;

#[async_trait]
impl Host for ActixHost {
    fn capabilities(&self) -> Capabilities {
        Capabilities::wire(wharf_actix::DRIVER).with_native(true)
    }

    async fn serve(&self, app: App) -> Box<dyn Running> {
        let start = async move || {
            let server = wharf_actix::bind(app, "127.0.0.1:0")
                .await
                .expect("a free port");
            (server.local_addr(), server.run())
        };
        Box::new(TcpServer::start(start).await)
    }

    fn native_ping(&self) -> Option<NativeUse> {
        Some(|socket| ping(socket).boxed())
    }

    fn native_echo(&self) -> Option<NativeUse> {
        Some(|socket| echo(socket).boxed())
    }
}

/// The same over TLS.
#[derive(Debug, Clone, Copy, Default)]
pub struct ActixTlsHost;

impl ActixTlsHost {
    /// The same as [`Host::serve`], with the server's own type.
    pub async fn start(&self, app: App) -> TcpServer {
        let certificate = Certificate::generate();
        let tls = certificate.to_tls();
        let start = async move || {
            let server = wharf_actix::bind(app, "127.0.0.1:0").await;
            let server = server.expect("a free port").tls(tls);
            (server.local_addr(), server.run())
        };
        TcpServer::start(start).await.over_tls(certificate)
    }
}

#[async_trait]
impl Host for ActixTlsHost {
    fn capabilities(&self) -> Capabilities {
        ActixHost.capabilities()
    }

    async fn serve(&self, app: App) -> Box<dyn Running> {
        Box::new(self.start(app).await)
    }

    fn native_ping(&self) -> Option<NativeUse> {
        ActixHost.native_ping()
    }

    fn native_echo(&self) -> Option<NativeUse> {
        ActixHost.native_echo()
    }

    fn is_secure(&self) -> bool {
        true
    }
}

/// `wharf_actix::mount` beside other routes, on `actix_web::HttpServer`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScopedActixHost;

impl ScopedActixHost {
    /// The same as [`Host::serve`], with the server's own type.
    pub async fn start(&self, app: App) -> TcpServer {
        let start = async move || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let address = listener.local_addr().expect("an address");
            let server = HttpServer::new(move || {
                actix_web::App::new()
                    .route("/neighbour", web::get().to(async || "undisturbed"))
                    .configure(wharf_actix::mount("/scoped/app", app.clone()))
            })
            .workers(2)
            .disable_signals()
            .on_connect(wharf_actix::on_connect)
            .client_disconnect_timeout(std::time::Duration::ZERO)
            .listen(listener)
            .expect("a listener");
            (address, server.run())
        };
        TcpServer::start(start).await.under("/scoped/app")
    }
}

#[async_trait]
impl Host for ScopedActixHost {
    fn capabilities(&self) -> Capabilities {
        // actix-web keeps the connection: one whose peer does not read ends when actix gives up.
        ActixHost.capabilities().with_abort(false)
    }

    async fn serve(&self, app: App) -> Box<dyn Running> {
        Box::new(self.start(app).await)
    }

    fn native_ping(&self) -> Option<NativeUse> {
        ActixHost.native_ping()
    }

    fn native_echo(&self) -> Option<NativeUse> {
        ActixHost.native_echo()
    }
}

async fn ping(socket: &mut Socket) -> Result<()> {
    let native = socket.native_as::<actix_ws::Session>().await?;
    native.ping(b"native").await.map_err(Error::handler)
}

async fn echo(socket: &mut Socket) -> Result<()> {
    let session = socket.native_as::<actix_ws::Session>().await?;
    session.text("ready").await.map_err(Error::handler)?;
    // The stream is bound to its thread, on which the host runs the handler.
    let stream = socket.native_as::<actix_ws::MessageStream>().await?;
    let mut stream = SendWrapper::new(stream);
    let text = match poll_fn(move |cx| stream.poll_next_unpin(cx)).await {
        Some(Ok(actix_ws::Message::Text(text))) => text,
        other => return Err(Error::handler(format!("{other:?} is no text"))),
    };
    let session = socket.native_as::<actix_ws::Session>().await?;
    session.text(text).await.map_err(Error::handler)
}
