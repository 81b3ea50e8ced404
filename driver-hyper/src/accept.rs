//! Connections as they come, within the cap.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

use crate::{
    connection::Settings,
    error,
    listen::{Bound, Listener},
    places::Places,
    stream::{Seated, Stream},
};

/// How long plain HTTP connections get to finish after the last session ended.
pub(crate) const HTTP_GRACE: Duration = Duration::from_millis(500);

/// How long accepting pauses when the process is out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How many connections make room when the process is out of descriptors.
const EVICTIONS: usize = 8;

/// How many connections are told at a time that there is no place: each has a descriptor.
const REFUSALS: usize = 16;

/// How long being told may take.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Turns what listeners yield into connections that are served.
#[derive(Debug, Clone)]
pub(crate) struct Acceptor {
    settings: Arc<Settings>,
    places: Arc<Places>,
    refusals: Arc<Semaphore>,
}

impl Acceptor {
    pub(crate) fn new(settings: Settings, places: Arc<Places>) -> Self {
        Self {
            settings: Arc::new(settings),
            places,
            refusals: Arc::new(Semaphore::new(REFUSALS)),
        }
    }

    /// Accepts on this runtime until it is over, and lets requests that are under way finish.
    pub(crate) async fn run(
        self,
        bound: impl IntoIterator<Item = Bound>,
        over: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let listeners: io::Result<Vec<_>> = bound.into_iter().map(Bound::listen).collect();
        let listeners = listeners?;
        // Every connection holds a receiver until it ends or becomes a socket.
        let (stop, stopped) = watch::channel(());
        {
            let accepting = listeners.iter().map(|at| self.accept(at, &stopped));
            let accepting = join_all(accepting);
            tokio::select! {
                _ = accepting => {}
                () = over => {}
            }
        }
        drop((listeners, stopped));
        let _ = stop.send(());
        // What does not finish in time ends with the runtime.
        let _ = timeout(HTTP_GRACE, stop.closed()).await;
        Ok(())
    }

    /// Accepts for ever.
    async fn accept(&self, listener: &Listener, stopped: &watch::Receiver<()>) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.admit(stream, peer, stopped).await,
                // One that was gone before it was accepted; the next may be there already.
                Err(error) if is_peers(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    for _ in 0..EVICTIONS {
                        self.places.evict_oldest();
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn admit(&self, stream: Stream, peer: Option<SocketAddr>, stopped: &watch::Receiver<()>) {
        match self.places.take().await {
            Some(place) => {
                let connection = Seated { stream, place };
                let settings = Arc::clone(&self.settings);
                tokio::spawn(settings.serve(connection, peer, stopped.clone()));
            }
            None => self.refuse(stream),
        }
    }

    /// Tells a connection that there is no place; dropped in silence if many are being told, and
    /// over TLS, where it would cost a handshake.
    fn refuse(&self, stream: Stream) {
        tracing::warn!("all connections are taken by sockets; one more was refused");
        #[cfg(feature = "tls")]
        if self.settings.tls.is_some() {
            return;
        }
        let (Ok(permit), Stream::Tcp(mut stream)) =
            (Arc::clone(&self.refusals).try_acquire_owned(), stream)
        else {
            return;
        };
        tokio::spawn(timeout(REFUSAL_TIMEOUT, async move {
            let _permit = permit;
            // What stays unread would make a reset of the end, and the client lose the answer.
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(error::full().as_bytes()).await;
        }));
    }
}

fn is_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
