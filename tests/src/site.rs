//! An app on a host, with what cases need around it.

use std::{fmt::Display, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use wharf_sdk::{App, AppBuilder};

use crate::{
    Answer, Client, Host, Request, Running,
    client::PATIENCE,
    fixture::{self, Events},
    host::Stream,
};

/// An app that is being served.
pub struct Site {
    /// The app.
    pub app: App,
    /// What its observers were told.
    pub events: Events,
    running: Arc<dyn Running>,
}

impl Site {
    /// Serves the fixture.
    pub async fn fixture(host: &dyn Host) -> Self {
        let fixture = fixture::app(host.native_ping()).expect("the fixture is valid");
        Self {
            running: host.serve(fixture.app.clone()).await.into(),
            app: fixture.app,
            events: fixture.events,
        }
    }

    /// Serves an app made for one case; its events are recorded.
    pub async fn of(host: &dyn Host, make: impl FnOnce(AppBuilder) -> AppBuilder) -> Self {
        let events = Events::default();
        let app = make(App::builder().observer(events.clone()))
            .build()
            .expect("a valid app");
        Self {
            running: host.serve(app.clone()).await.into(),
            app,
            events,
        }
    }

    /// Sends a request on a connection of its own.
    pub async fn request(&self, request: Request) -> Answer {
        self.running.request(request).await
    }

    /// The prefix that the app is mounted under, if it is.
    pub fn mount(&self) -> &str {
        self.running.mount()
    }

    /// Opens a WebSocket.
    pub async fn open(&self, path: &str) -> Client {
        self.open_with(Request::upgrade(path)).await
    }

    /// Opens a WebSocket with a request of one's own. The client keeps the server alive.
    pub async fn open_with(&self, request: Request) -> Client {
        Client::new(self.request(request).await).of(&self.running)
    }

    /// Opens a connection of HTTP/2.
    ///
    /// # Panics
    ///
    /// If the host opens none.
    pub async fn http2(&self) -> Box<dyn Stream> {
        let stream = self.running.connect_http2().await;
        stream.expect("the host's `connect_http2`, which its capabilities owe")
    }

    /// Waits until no connection is left, handshakes included.
    ///
    /// # Panics
    ///
    /// If some are left after [`PATIENCE`].
    pub async fn expect_no_connections(&self) {
        self.expect_connections(0).await;
    }

    /// Waits until there are this many connections, handshakes included.
    ///
    /// # Panics
    ///
    /// If there are more or fewer after [`PATIENCE`].
    pub async fn expect_connections(&self, count: usize) {
        let handle = self.app.handle();
        let waiting = timeout(PATIENCE, async {
            while handle.connections() != count {
                sleep(Duration::from_millis(5)).await;
            }
        });
        if waiting.await.is_err() {
            panic!(
                "there are {} connections, expected {count}",
                handle.connections()
            );
        }
    }
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site")
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

/// What a handler or a middleware notes down for its case.
#[derive(Debug, Clone)]
pub struct Notes(mpsc::UnboundedSender<String>);

impl Notes {
    /// An empty notebook and its reader.
    pub fn new() -> (Self, NotesReader) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), NotesReader(receiver))
    }

    /// Notes something down.
    pub fn add(&self, note: impl Display) {
        // A case that is over reads no more.
        let _ = self.0.send(note.to_string());
    }
}

/// Reads [`Notes`] in order.
#[derive(Debug)]
pub struct NotesReader(mpsc::UnboundedReceiver<String>);

impl NotesReader {
    /// The next note.
    ///
    /// # Panics
    ///
    /// If none comes for [`PATIENCE`].
    pub async fn next(&mut self) -> String {
        match timeout(PATIENCE, self.0.recv()).await {
            Ok(Some(note)) => note,
            Ok(None) => panic!("nobody is left to note anything down"),
            Err(_) => panic!("no note for {PATIENCE:?}"),
        }
    }

    /// Expects this note next.
    ///
    /// # Panics
    ///
    /// If another one comes.
    pub async fn expect(&mut self, note: &str) {
        assert_eq!(self.next().await, note, "another note than expected");
    }

    /// What has been noted down and not been read.
    pub fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }
}
