//! Threads that accept and serve, each on a runtime of its own.

use std::{io, thread};

use tokio::{
    runtime::Builder,
    sync::{mpsc, watch},
    time::timeout,
};
use wharf_sdk::App;

use crate::{
    accept::{Acceptor, HTTP_GRACE},
    listen::Bound,
};

/// The threads of a server. Dropped, they accept no more, and end when the app is shut down.
pub(crate) struct Workers {
    /// Dropped with this.
    _server: watch::Sender<()>,
    /// Every thread holds a sender.
    ended: mpsc::Receiver<()>,
}

/// Starts a thread for each of these sets of listeners.
pub(crate) fn spawn(
    app: &App,
    acceptor: &Acceptor,
    listeners: Vec<Vec<Bound>>,
) -> io::Result<Workers> {
    let (server, dropped) = watch::channel(());
    let (running, ended) = mpsc::channel(1);
    for (number, listeners) in listeners.into_iter().enumerate() {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (app, acceptor) = (app.clone(), acceptor.clone());
        let (mut dropped, running) = (dropped.clone(), running.clone());
        let work = move || {
            let app = app.handle();
            runtime.block_on(async {
                let over = async {
                    tokio::select! {
                        _ = app.wait_for_shutdown() => {}
                        _ = dropped.changed() => {}
                    }
                };
                if let Err(error) = acceptor.run(listeners, over).await {
                    tracing::error!(%error, "a worker cannot listen");
                }
                // The sessions of a server that was dropped go on.
                app.wait_for_shutdown().await;
            });
            drop(running);
        };
        let thread = thread::Builder::new().name(format!("wharf-{number}"));
        thread.spawn(work)?;
    }
    Ok(Workers {
        _server: server,
        ended,
    })
}

impl Workers {
    /// Waits for the threads behind the end of the app's sessions. One that a handler blocks is
    /// left to itself.
    pub(crate) async fn ended(mut self) {
        let _ = timeout(2 * HTTP_GRACE, self.ended.recv()).await;
    }
}
