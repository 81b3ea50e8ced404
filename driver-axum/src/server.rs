//! A server for an app alone.
//!
//! `axum::serve` has no deadline for request heads and drops requests of clients that have ended
//! their side. So the accept loop is here; what it serves is the same service that is mounted.

use std::{convert::Infallible, net::SocketAddr, pin::pin, time::Duration};

use axum::{body::Body, extract::ConnectInfo};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{sleep, timeout},
};
use tower_service::Service as _;
use wharf_sdk::{
    App, Result, ShutdownReport,
    driver::serve::{self, StopSignals},
};

use crate::upgrade::Service;

/// How long a request's head may take, and how long a connection may be idle between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long plain HTTP connections get to finish after the last session ended.
const HTTP_GRACE: Duration = Duration::from_millis(500);

/// How long accepting pauses when the process is out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
        let listener = TcpListener::bind(address)
            .await
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
    /// Dropping the future stops accepting; sessions go on until the app is shut down.
    pub async fn run(self) -> Result<ShutdownReport> {
        let service = Service::new(self.app.clone());
        // Every connection holds a receiver until it ends or becomes a socket.
        let (stop, stopped) = watch::channel(());
        let mut shut_down = pin!(serve::until_shut_down(&self.app, self.stop));
        let report = loop {
            let accepted = tokio::select! {
                report = &mut shut_down => break report,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => start(stream, peer, &service, stopped.clone()),
                // One that was gone before it was accepted; the next may be there already.
                Err(error) if is_peers(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        };
        drop((self.listener, stopped));
        let _ = stop.send(());
        // What does not finish in time ends with the runtime.
        let _ = timeout(HTTP_GRACE, stop.closed()).await;
        Ok(report)
    }
}

fn is_peers(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// Serves one connection, on a task of its own, until it ends or becomes a socket.
fn start(stream: TcpStream, peer: SocketAddr, service: &Service, mut stopped: watch::Receiver<()>) {
    let service = service.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let mut service = service.clone();
        async move { Ok::<_, Infallible>(service.call(request).await.unwrap_or_default()) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::spawn(async move {
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            _ = stopped.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "an HTTP connection ended early");
        }
    });
}
