//! The driver that has no network.

use bytes::{Bytes, BytesMut};
use futures::{FutureExt, StreamExt};
use http::Response;
use tokio::io::DuplexStream;

use crate::{
    app::{App, Decision},
    driver::Connection,
    request::UpgradeRequest,
    wire::Capabilities,
};

/// The driver's name, as observers and snapshots see it.
pub const DRIVER: &str = "memory";

/// What each direction holds in flight: what a kernel's socket buffers would.
const PIPE_BYTES: usize = 64 * 1024;

/// Carries an app in memory.
#[derive(Debug, Clone)]
pub struct TestHost {
    app: App,
}

/// How a host answered.
#[derive(Debug)]
pub enum Answer {
    /// With a response.
    Rejected(Response<Bytes>),
    /// With a 101 and the client's end of the connection, raw.
    Upgraded(Response<()>, DuplexStream),
}

impl TestHost {
    /// Carries this app.
    pub fn new(app: App) -> Self {
        Self { app }
    }

    /// The app.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// What the host can do.
    pub fn capabilities(&self) -> Capabilities {
        Capabilities::wire(DRIVER)
    }

    /// Sends a request as it is.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the request.
    pub async fn request(&self, request: UpgradeRequest) -> Answer {
        match self.app.decide(request, DRIVER).await {
            Decision::Respond(response) => Answer::Rejected(response),
            Decision::Stream(response) => {
                let (head, events) = response.into_parts();
                let body: BytesMut = events.collect().await;
                Answer::Rejected(Response::from_parts(head, body.freeze()))
            }
            Decision::Upgrade(upgrade) => {
                let (server, client) = tokio::io::duplex(PIPE_BYTES);
                let mut response = Response::new(());
                *response.status_mut() = upgrade.response().status();
                response
                    .headers_mut()
                    .clone_from(upgrade.response().headers());
                let connection = Connection::new(server).with_abort(|_| {});
                let mut session = upgrade.connect(connection);
                // Its first turn is now, so that what a handler does before it first waits (such as
                // entering a room) is done when a test goes on.
                if futures::poll!(&mut session).is_pending() {
                    tokio::spawn(session.map(drop));
                }
                Answer::Upgraded(response, client)
            }
        }
    }
}
