//! One connection, from its first byte until it ends or becomes a socket.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::watch;
#[cfg(feature = "tls")]
use tokio::time::timeout;
use wharf_sdk::driver::serve::{Occupation, Seat};

#[cfg(feature = "http2")]
use crate::http2;
#[cfg(feature = "tls")]
use crate::tls;
use crate::{
    bounded::Bounded,
    convert::ConnectionInfo,
    kept::{Kept, Settled},
    settings::Settings,
    stream::{Carried, Seated},
};

/// The largest head of a request, and what is read ahead of a connection. The app's own limit is
/// lower and has a better answer.
const BUFFER_BYTES: usize = 64 * 1024;

/// How many plain requests a connection carries; the answer to the last ends it. Who sends many
/// behind each other and reads no answer is served this many, and no more.
const MAX_REQUESTS: u32 = 16;

impl Settings {
    /// Serves a connection. It is over when `stopped` says so and what is under way is done, and
    /// at once when its place is needed.
    pub(crate) async fn serve(
        self: Arc<Self>,
        connection: Seated,
        peer: Option<SocketAddr>,
        stopped: watch::Receiver<()>,
    ) {
        let seat = connection.seat().clone();
        let serving = self.serve_any(connection, peer, stopped);
        tokio::select! {
            () = serving => {}
            () = seat.evicted() => tracing::debug!("a connection made room for another"),
        }
    }

    async fn serve_any(
        &self,
        connection: Seated,
        peer: Option<SocketAddr>,
        stopped: watch::Receiver<()>,
    ) {
        #[cfg(feature = "tls")]
        if let Some(acceptor) = &self.tls {
            let info = ConnectionInfo {
                peer,
                is_secure: true,
            };
            match timeout(self.head_timeout, tls::accept(acceptor, connection)).await {
                #[cfg(feature = "http2")]
                Ok(Ok(Some(connection))) if tls::chose(&connection, crate::settings::HTTP_2) => {
                    http2::serve(self, connection, info, stopped).await;
                }
                Ok(Ok(Some(connection))) => self.serve_http1(connection, info, stopped).await,
                Ok(Ok(None)) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            }
            return;
        }
        let info = ConnectionInfo {
            peer,
            is_secure: false,
        };
        #[cfg(feature = "http2")]
        if self.http2 {
            match timeout(self.head_timeout, http2::speaks(&connection)).await {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => return http2::serve(self, connection, info, stopped).await,
                Ok(Err(_)) | Err(_) => return tracing::debug!("a connection said nothing"),
            }
        }
        self.serve_http1(connection, info, stopped).await;
    }

    async fn serve_http1<IO: Carried>(
        &self,
        io: IO,
        info: ConnectionInfo,
        mut stopped: watch::Receiver<()>,
    ) {
        let seat = io.seat().clone();
        let requests = AtomicU32::new(0);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head_timeout)
            .max_buf_size(BUFFER_BYTES)
            .half_close(true)
            .serve_connection(
                TokioIo::new(Bounded::new(io, self.write_timeout)),
                service_fn(|request| self.answer_nth(request, info, &seat, &requests)),
            )
            .with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            _ = stopped.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "an HTTP connection ended early");
        }
    }

    async fn answer_nth(
        &self,
        request: Request<Incoming>,
        info: ConnectionInfo,
        seat: &Seat,
        requests: &AtomicU32,
    ) -> Result<Response<Kept<Settled>>, Infallible> {
        let is_last = requests.fetch_add(1, Ordering::Relaxed) + 1 >= MAX_REQUESTS;
        let mut response = self.answer(request, info, seat).await?;
        if is_last && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        Ok(response)
    }

    async fn answer(
        &self,
        mut request: Request<Incoming>,
        info: ConnectionInfo,
        seat: &Seat,
    ) -> Result<Response<Kept<Settled>>, Infallible> {
        request.extensions_mut().insert(info);
        seat.occupy(Occupation::Answering);
        let response = self.served.answer(request).await;
        seat.occupy(match response.status() {
            // Once the peer has read this, it has a socket.
            StatusCode::SWITCHING_PROTOCOLS => Occupation::Socket,
            _ => Occupation::Waiting,
        });
        Ok(response.map(|body| Kept::new(body, || Settled::new(seat))))
    }
}
