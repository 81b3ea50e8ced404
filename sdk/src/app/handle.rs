//! An app from outside: its live connections, and their end.

use std::{sync::Arc, time::Duration};

use crate::{
    app::app::{App, AppInner},
    message::{CloseCode, CloseFrame, ConnectionId, Result},
    session::{Sender, ShutdownOptions, ShutdownReport},
};

impl App {
    /// Watches and ends the app's sessions.
    pub fn handle(&self) -> AppHandle {
        AppHandle {
            inner: Arc::clone(&self.inner),
        }
    }
}

/// Watches and ends an app's sessions: a cheap clone, independent of the server that carries them.
///
/// ```
/// use std::time::Duration;
/// # use wharf_sdk::{App, Result, Route, Socket, testing::TestHost};
/// # async fn echo(mut socket: Socket) -> Result<()> {
/// #     while let Some(message) = socket.read().await? {
/// #         socket.write(message).await?;
/// #     }
/// #     Ok(())
/// # }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<()> {
/// # let app = App::builder().route(Route::new("/echo", echo)).build()?;
/// # let host = TestHost::new(app.clone());
/// let handle = app.handle();
/// let mut client = host.connect("/echo").await;
/// assert_eq!(handle.connections(), 1);
///
/// let shutting_down = tokio::spawn(async move { handle.shutdown(Duration::from_secs(30)).await });
/// client.expect_close(1001).await;
/// assert_eq!(shutting_down.await.expect("no panic").closed, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct AppHandle {
    pub(super) inner: Arc<AppInner>,
}

impl AppHandle {
    /// How many connections there are, handshakes included.
    pub fn connections(&self) -> usize {
        self.inner.registry.live()
    }

    /// Refuses new upgrades with 503, closes every session with 1001 in jittered batches, waits,
    /// aborts after `deadline` what is left, and counts.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the waiting, not the refusing; call it again to go on.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        self.shutdown_with(ShutdownOptions::within(deadline)).await
    }

    /// The same with another close frame or another spread.
    ///
    /// # Cancel safety
    ///
    /// As [`shutdown`](Self::shutdown).
    pub async fn shutdown_with(&self, options: ShutdownOptions) -> ShutdownReport {
        self.inner.registry.shutdown(options).await
    }

    /// Waits until a shutdown that somebody began is through.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn shut_down(&self) -> ShutdownReport {
        self.inner.registry.shut_down().await
    }

    /// All sessions that are live now: what is known of each is [`Sender::info`], and what can be
    /// done with it are the sender's methods.
    pub fn sessions(&self) -> Vec<Sender> {
        self.inner.registry.sessions()
    }

    /// Closes one connection; `false` if it is not there (any more).
    ///
    /// # Errors
    ///
    /// What [`CloseFrame::new`] refuses.
    pub fn disconnect(
        &self,
        id: ConnectionId,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> Result<bool> {
        let frame = CloseFrame::new(code, reason)?;
        let closed = self
            .inner
            .registry
            .close_where(&frame, |shared| shared.info.id == id);
        Ok(closed > 0)
    }

    /// Closes every connection of a principal; returns how many there were.
    ///
    /// # Errors
    ///
    /// What [`CloseFrame::new`] refuses.
    pub fn disconnect_principal(
        &self,
        principal: &str,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> Result<usize> {
        let frame = CloseFrame::new(code, reason)?;
        Ok(self.inner.registry.close_where(&frame, |shared| {
            shared.info.principal.as_deref() == Some(principal)
        }))
    }
}
