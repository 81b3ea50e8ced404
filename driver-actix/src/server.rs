//! A server for an app alone.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use actix_http::{HttpService, KeepAlive};
use actix_service::{ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::AppConfig;
use tokio::net::TcpStream;
use wharf_sdk::{
    App, Result, ShutdownReport,
    driver::serve::{self, StopSignals},
};

use crate::{lend::LentStream, upgrade};

/// Connections that the kernel queues until they are accepted.
const BACKLOG: i32 = 1024;

/// A bound server.
#[derive(Debug)]
pub struct Server {
    app: App,
    listener: TcpListener,
    address: SocketAddr,
    stop: StopSignals,
}

impl Server {
    pub(crate) async fn bind(app: App, address: &str) -> Result<Self> {
        let listener = address
            .to_socket_addrs()
            .and_then(|addresses| TcpListener::bind(&*addresses.collect::<Vec<_>>()))
            .map_err(|cause| serve::bind_error(address, cause))?;
        let address = listener.local_addr()?;
        Ok(Self {
            app,
            listener,
            address,
            stop: StopSignals::listen()?,
        })
    }

    /// The address that is bound: the port is the real one even if 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the app is shut down through its handle or the process is told to stop
    /// (SIGTERM, ctrl-c), which shuts it down; told a second time, it aborts what is left.
    ///
    /// # Errors
    ///
    /// Kind `Io` if accepting fails for good.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the server.
    pub async fn run(self) -> Result<ShutdownReport> {
        let Self {
            app,
            listener,
            address,
            stop,
        } = self;
        let mounted = app.clone();
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        let server = actix_server::Server::build()
            .workers(workers)
            .backlog(BACKLOG as u32)
            // Wharf handles them: sessions are closed before the server is stopped.
            .disable_signals()
            .listen("wharf", listener, move || {
                let app = mounted.clone();
                let web = actix_web::App::new().configure(upgrade::mount(String::new(), app));
                let http = HttpService::build()
                    // Its later request heads have no deadline.
                    .keep_alive(KeepAlive::Disabled)
                    .local_addr(address)
                    .on_connect_ext(|io: &LentStream, data| {
                        data.insert(io.lender());
                    })
                    .h1(map_config(web, |()| AppConfig::default()));
                fn_service(|stream: TcpStream| async {
                    // Wharf gathers writes itself; waiting for more only adds latency.
                    let _ = stream.set_nodelay(true);
                    let peer = stream.peer_addr().ok();
                    Ok::<_, actix_http::error::DispatchError>((LentStream::new(stream), peer))
                })
                .and_then(http)
            })
            .map_err(wharf_sdk::Error::from)?
            .run();
        let handle = server.handle();
        let mut server = std::pin::pin!(server);
        tokio::select! {
            report = serve::until_shut_down(&app, stop) => {
                // Sessions are closed already; what is left is plain HTTP under way.
                let stopping = handle.stop(false);
                let _ = futures::future::join(stopping, server).await;
                Ok(report)
            }
            ended = &mut server => {
                ended?;
                Ok(ShutdownReport::default())
            }
        }
    }
}
