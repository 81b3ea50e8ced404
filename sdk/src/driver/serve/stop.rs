//! When a server stops, and how.

use std::time::Duration;

use crate::{app::App, message::Result, session::ShutdownReport};

/// How long the sessions of a server that is told to stop get to close.
pub const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(30);

/// Hears that the process is told to stop (SIGTERM, ctrl-c), from the moment it is made.
///
/// A server makes it before it says that it listens: who starts it may stop it at once.
#[derive(Debug)]
pub struct StopSignals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl StopSignals {
    /// Listens from now on.
    ///
    /// # Errors
    ///
    /// Kind `Io` if the system does not let the signals be handled.
    pub fn listen() -> Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "ctrl-c cannot be handled");
            std::future::pending::<()>().await;
        }
    }
}

/// Waits until the process is told to stop and shuts the app down, or until somebody else has
/// through its [`AppHandle`](crate::AppHandle).
///
/// Told a second time, it aborts what is left at once; the report counts both.
///
/// # Cancel safety
///
/// Cancel-safe until a signal came.
pub async fn until_shut_down(app: &App, mut stop: StopSignals) -> ShutdownReport {
    let handle = app.handle();
    tokio::select! {
        report = handle.wait_for_shutdown() => return report,
        () = stop.next() => tracing::info!("told to stop; closing the live sessions"),
    }
    tokio::select! {
        report = handle.shutdown(SHUTDOWN_DEADLINE) => report,
        () = stop.next() => {
            tracing::info!("told to stop again; aborting the live sessions");
            handle.shutdown(Duration::ZERO).await
        }
    }
}
