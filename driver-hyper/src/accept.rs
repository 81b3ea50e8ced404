//! Connections as they come, within the cap.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures::future::join_all;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use wharf_sdk::driver::serve::{Refusals, Seats};

use crate::{
    listen::{Bound, Listener},
    settings::Settings,
    stream::{Seated, Stream},
};

/// How long plain HTTP connections get to finish after the last session ended.
pub(crate) const HTTP_GRACE: Duration = Duration::from_millis(500);

/// How long accepting pauses when the process is out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How many connections make room when the process is out of descriptors.
const EVICTIONS: usize = 8;

/// Turns what listeners yield into connections that are served.
#[derive(Debug, Clone)]
pub(crate) struct Acceptor {
    settings: Arc<Settings>,
    seats: Seats,
    refusals: Refusals,
}

impl Acceptor {
    pub(crate) fn new(settings: Settings, seats: Seats) -> Self {
        Self {
            settings: Arc::new(settings),
            seats,
            refusals: Refusals::default(),
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
                        self.seats.evict_oldest();
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn admit(&self, stream: Stream, peer: Option<SocketAddr>, stopped: &watch::Receiver<()>) {
        match self.seats.take().await {
            Some(seat) => {
                let connection = Seated { stream, seat };
                let settings = Arc::clone(&self.settings);
                tokio::spawn(settings.serve(connection, peer, stopped.clone()));
            }
            None => self.refuse(stream),
        }
    }

    /// Tells a connection that there is no seat; not over TLS, where it would cost a handshake.
    fn refuse(&self, stream: Stream) {
        #[cfg(feature = "tls")]
        if self.settings.tls.is_some() {
            return tracing::warn!("all connections are taken by sockets; one more was dropped");
        }
        match stream {
            Stream::Tcp(stream) => self.refusals.tell(stream),
            #[cfg(unix)]
            Stream::Unix(stream) => self.refusals.tell(stream),
        }
    }
}

fn is_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
