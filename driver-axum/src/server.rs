//! A server for an app alone.

use std::{future::IntoFuture, net::SocketAddr, time::Duration};

use axum::extract::Request;
use tokio::{net::TcpListener, time::timeout};
use wharf_sdk::{App, Result, ShutdownReport, serve};

use crate::{error, upgrade::Service};

/// How long plain HTTP connections get to finish after the last session ended.
const HTTP_GRACE: Duration = Duration::from_secs(2);

/// A bound server.
#[derive(Debug)]
pub struct Server {
    app: App,
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    pub(crate) async fn bind(app: App, address: &str) -> Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|cause| error::bind(address, cause))?;
        let address = listener.local_addr()?;
        Ok(Self {
            app,
            listener,
            address,
        })
    }

    /// The address that is bound: the port is the real one even if 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the app is shut down through its handle or the process is told to stop
    /// (SIGTERM, ctrl-c), which shuts it down.
    ///
    /// # Errors
    ///
    /// Kind `Io` if accepting fails for good.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops accepting; sessions go on until the app is shut down.
    pub async fn run(self) -> Result<ShutdownReport> {
        let app = self.app.clone();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let service = axum::ServiceExt::<Request>::into_make_service_with_connect_info::<SocketAddr>(
            Service::new(self.app),
        );
        let serving = axum::serve(self.listener, service).with_graceful_shutdown(async {
            // A dropped sender means stop as well.
            let _ = stopped.await;
        });
        let mut serving = tokio::spawn(serving.into_future());
        tokio::select! {
            report = serve::until_shut_down(&app) => {
                drop(stop);
                if timeout(HTTP_GRACE, &mut serving).await.is_err() {
                    serving.abort();
                }
                Ok(report)
            }
            ended = &mut serving => {
                ended.map_err(std::io::Error::other)??;
                Ok(ShutdownReport::default())
            }
        }
    }
}
