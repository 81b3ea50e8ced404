//! The client.

use std::{fmt, sync::Arc};

use futures::{FutureExt, TryFutureExt};
use tracing::Instrument;
use wharf_sdk::{CloseOutcome, Error, Handler, Limits, Result, SlowClient, Socket};

use crate::{
    open::{Opened, open},
    request::Request,
    settings::Settings,
};

/// Connects to WebSocket servers. Cloning is cheap: clones share settings and TLS sessions.
///
/// ```
/// use wharf_client::Client;
/// # use wharf_sdk::{App, Result, Route, Socket, testing::TestHost};
/// # async fn echo(mut socket: Socket) -> Result<()> {
/// #     while let Some(message) = socket.read().await? {
/// #         socket.write(message).await?;
/// #     }
/// #     Ok(())
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// # let host = TestHost::new(App::builder().route(Route::new("/echo", echo)).build()?);
/// let client = Client::builder().in_memory(host).build()?;
///
/// let mut socket = client.connect("ws://test.example/echo").await?;
/// socket.write("hello").await?;
/// assert_eq!(socket.read().await?, Some("hello".into()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    settings: Arc<Settings>,
}

impl Client {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Connects. The session runs in a task of its own; dropping the socket closes with 1001,
    /// within the close timeout.
    ///
    /// # Errors
    ///
    /// | code | what |
    /// |---|---|
    /// | `WHARF_URL`, `WHARF_CLIENT_HEADER` | the request cannot be sent; nothing was |
    /// | `WHARF_TLS_MISSING` | `wss`, and this program is built without TLS |
    /// | `WHARF_RESOLVE`, `WHARF_CONNECT`, `WHARF_PROXY` | there is no way to the server |
    /// | `WHARF_TLS`, `WHARF_TLS_CERTIFICATE` | it does not speak TLS, or is not who it says |
    /// | `WHARF_CLIENT_REJECTED` | it answered something else than 101: [`Rejected`](crate::Rejected) |
    /// | `WHARF_CLIENT_ANSWER`, `WHARF_CLIENT_SUBPROTOCOL` | its answer breaks the rules, or lacks what is required |
    /// | `WHARF_CLIENT_REDIRECT` | it leads to where one must not follow |
    /// | `WHARF_…_TIMEOUT` | a step, named, took too long: [`Timeouts`](crate::Timeouts) |
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connection.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn connect(&self, request: impl Into<Request>) -> Result<Socket> {
        let opened = Box::pin(open(&self.settings, request.into())).await?;
        let (session, socket) = opened.dialled.open(opened.connection);
        tokio::spawn(session.map(drop).instrument(opened.span));
        Ok(socket)
    }

    /// Connects, and lets a server's own handler serve this side, inside the session's task: the
    /// faster form of the two. Returns how the session ended.
    ///
    /// The handler takes its arguments out of the request that was sent: `Context` (its path,
    /// query, headers and subprotocol; [`peer`](wharf_sdk::Context::peer) is the server's
    /// address), `Query`, and `State` out of
    /// [`ClientBuilder::state`](crate::ClientBuilder::state). There are no path parameters
    /// and no principal: `Path` and `Principal` refuse, as they do on a server where they are
    /// missing.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect), and what the handler's arguments refuse. What the handler
    /// itself fails with goes to the observers, as on a server.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connection, without a close handshake.
    pub fn run<Args>(
        &self,
        request: impl Into<Request>,
        handler: impl Handler<Args>,
    ) -> impl Future<Output = Result<CloseOutcome>> {
        let request = request.into();
        let began = Box::pin(async move {
            let opened = open(&self.settings, request).await?;
            let Opened {
                dialled,
                connection,
                sent,
                span,
            } = opened;
            let state = Arc::clone(&self.settings.state);
            let session = dialled.serve(connection, &handler, sent, state).await?;
            Ok::<_, Error>(session.instrument(span))
        });
        // Of the two futures there is one at a time, and what opening takes is gone with its box: in
        // an `async` block, the session would have two places and the opening one for ever.
        began.and_then(|session| session.map(Ok))
    }

    /// The same, with sessions as a link needs them: its own queue says what happens to messages
    /// that find no room, and pongs tell what has arrived.
    pub(crate) fn for_link(&self) -> Self {
        let mut settings = Settings::clone(&self.settings);
        let mut limits = Limits::clone(&settings.limits);
        limits.slow_client = SlowClient::Wait;
        limits.control_frames = true;
        settings.limits = Arc::new(limits);
        Self::new(settings)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("headers", &self.settings.headers.keys().collect::<Vec<_>>())
            .field("timeouts", &self.settings.timeouts)
            .finish_non_exhaustive()
    }
}
