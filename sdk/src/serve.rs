//! What every driver's server shares: when to stop, and how.

use std::time::Duration;

use crate::{
    error::{Error, ErrorKind},
    route::App,
    session::{ShutdownOptions, ShutdownReport},
};

/// How long the sessions of a server that is told to stop get to close.
pub const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(30);

/// Waits until the process is told to stop (SIGTERM, ctrl-c) and shuts the app down, or until
/// somebody else has through its [`AppHandle`](crate::AppHandle).
///
/// Told a second time, it aborts what is left at once; the report then counts that alone.
///
/// # Cancel safety
///
/// Cancel-safe until a signal came.
pub async fn until_shut_down(app: &App) -> ShutdownReport {
    let handle = app.handle();
    tokio::select! {
        report = handle.shut_down() => report,
        () = stop_signal() => {
            tracing::info!("told to stop; closing the live sessions");
            tokio::select! {
                report = handle.shutdown_with(ShutdownOptions::within(SHUTDOWN_DEADLINE)) => report,
                () = stop_signal() => {
                    tracing::info!("told to stop again; aborting the live sessions");
                    handle.shutdown_with(ShutdownOptions::within(Duration::ZERO)).await
                }
            }
        }
    }
}

/// The error of a server whose address cannot be bound.
pub fn bind_error(address: &str, cause: std::io::Error) -> Error {
    Error::new(
        ErrorKind::Io,
        "WHARF_BIND",
        format!("{address} cannot be bound; choose a free port of this machine"),
    )
    .with_source(cause)
}

#[cfg(unix)]
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::error!(%error, "SIGTERM cannot be handled; only ctrl-c stops this server");
            return interrupted().await;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        () = interrupted() => {}
    }
}

#[cfg(not(unix))]
async fn stop_signal() {
    interrupted().await;
}

async fn interrupted() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::error!(%error, "ctrl-c cannot be handled");
        std::future::pending::<()>().await;
    }
}
