//! An app from outside: its live connections, and their end.

use std::sync::Arc;

use crate::{
    app::{
        app::{App, AppInner},
        observer::Intervention,
    },
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

    /// All sessions that are live now: what is known of each is [`Sender::info`], and what can be
    /// done with it are the sender's methods.
    ///
    /// ```
    /// # use wharf_sdk::{AppHandle, Sender};
    /// fn in_the_lobby(handle: &AppHandle) -> Vec<Sender> {
    ///     let mut sessions = handle.sessions();
    ///     sessions.retain(|session| session.info().pattern() == "/lobby");
    ///     sessions
    /// }
    /// # let _ = in_the_lobby;
    /// ```
    pub fn sessions(&self) -> Vec<Sender> {
        self.inner.registry.sessions()
    }

    /// One session, if it is live.
    pub fn session(&self, id: ConnectionId) -> Option<Sender> {
        self.inner.registry.session(id)
    }

    /// A principal's sessions, the oldest first.
    pub fn sessions_of(&self, principal: &str) -> Vec<Sender> {
        self.inner.registry.sessions_of(principal)
    }

    /// Shuts the app down: refuses new upgrades with 503, lets handlers finish the message that
    /// they are at, closes every session with 1001 in jittered batches, waits, aborts at the
    /// deadline what is left, and counts. Takes a deadline, or [`ShutdownOptions`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the waiting, not the refusing; call it again to go on.
    pub async fn shutdown(&self, options: impl Into<ShutdownOptions>) -> ShutdownReport {
        self.inner.registry.shutdown(options.into()).await
    }

    /// Waits until somebody has begun a shutdown: from then on upgrades are refused.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn closing(&self) {
        self.inner.registry.draining().await;
    }

    /// Waits until a shutdown that somebody began is through.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn wait_for_shutdown(&self) -> ShutdownReport {
        self.inner.registry.wait_for_shutdown().await
    }

    /// Tells the app's observers that somebody who runs it stepped in.
    pub fn tell(&self, intervention: &Intervention<'_>) {
        self.inner.observers.intervened(intervention);
    }

    /// Closes one connection; `false` if it is not there (any more).
    ///
    /// # Errors
    ///
    /// What [`CloseFrame::new`](crate::CloseFrame::new) refuses.
    pub fn disconnect(
        &self,
        id: ConnectionId,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> Result<bool> {
        let frame = CloseFrame::new(code, reason)?;
        let session = self.session(id);
        if let Some(session) = &session {
            session.disconnect(frame);
        }
        Ok(session.is_some())
    }

    /// Closes every connection of a principal; returns how many there were.
    ///
    /// # Errors
    ///
    /// What [`CloseFrame::new`](crate::CloseFrame::new) refuses.
    pub fn disconnect_principal(
        &self,
        principal: &str,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> Result<usize> {
        let frame = CloseFrame::new(code, reason)?;
        let sessions = self.sessions_of(principal);
        for session in &sessions {
            session.disconnect(frame.clone());
        }
        Ok(sessions.len())
    }
}
