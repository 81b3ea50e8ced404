//! HTTP/2: many sockets on one connection ([RFC 8441](https://www.rfc-editor.org/rfc/rfc8441)).

use std::{
    convert::Infallible,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::future::Either;
use http::Request;
use hyper::{
    body::Incoming, rt::Executor, server::conn::http2, service::service_fn, upgrade::Upgraded,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use wharf_sdk::driver::serve::{Occupation, Seat};

use crate::{
    bounded::Bounded,
    convert::ConnectionInfo,
    kept::Kept,
    settings::Settings,
    stream::{Carried, Seated},
};

/// The most streams of a connection at a time.
const MAX_STREAMS: u32 = 128;

/// What a stream may send ahead of whoever reads it.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;

/// What all of them may: none can use up another's share by not being read.
const CONNECTION_WINDOW_BYTES: u32 = MAX_STREAMS * STREAM_WINDOW_BYTES;

/// What is held of a stream's answer until the peer takes it.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// The largest head. The app's own limit is lower and has a better answer.
const HEAD_BYTES: u32 = 64 * 1024;

/// Streams that were reset before they were looked at, and errors answered by resets, that a
/// connection survives (CVE-2023-44487, CVE-2025-55163).
const MAX_PENDING_RESETS: usize = 20;
const MAX_ERROR_RESETS: usize = 64;

/// How long a connection may be silent until it is asked whether it lives, and how long it may
/// take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long a connection may have neither a request nor a socket.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the last bytes of a socket may take behind its end.
const LINGER: Duration = Duration::from_secs(5);

/// With what a client begins that knows beforehand that this is HTTP/2.
const PREFACE: &[u8] = b"PRI ";

/// How long until what may be a part of a preface is looked at again: looking does not tell when
/// there is more.
const PREFACE_PAUSE: Duration = Duration::from_millis(5);

/// Whether a connection without TLS begins as HTTP/2 does.
pub(crate) async fn speaks(connection: &Seated) -> io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    loop {
        let count = connection.stream.peek(&mut first).await?;
        if count == PREFACE.len() || count == 0 || !PREFACE.starts_with(&first[..count]) {
            return Ok(&first[..count] == PREFACE);
        }
        sleep(PREFACE_PAUSE).await;
    }
}

/// Serves a connection until it ends. Idle, told to stop, or when the app begins to shut down, it
/// says GOAWAY and ends once its streams have: from then on a client opens sockets elsewhere.
pub(crate) async fn serve<IO: Carried>(
    settings: &Settings,
    io: IO,
    info: ConnectionInfo,
    mut stopped: watch::Receiver<()>,
) {
    let use_of = Use::new(io.seat().clone());
    let requests = Arc::clone(&use_of);
    let served = settings.served.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(info);
        let answering = served.answer(request);
        let busy = requests.begin();
        let use_of = Arc::clone(&requests);
        async move {
            let answer = answering
                .await
                .map(|body| Kept::new(body, || OpenSocket::new(&use_of)));
            drop(busy);
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http2::Builder::new(Streams(Arc::clone(&use_of)))
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .max_header_list_size(HEAD_BYTES)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_ERROR_RESETS)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL)
        .serve_connection(
            TokioIo::new(Bounded::new(io, settings.write_timeout)),
            service,
        );
    let mut connection = pin!(connection);
    let app = settings.app.handle();
    let mut closing = pin!(app.closing());
    let mut is_ending = false;
    loop {
        let patience = match is_ending {
            true => settings.head_timeout,
            false => IDLE_TIMEOUT,
        };
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "an HTTP/2 connection ended early");
                }
                return;
            }
            // What is left are answers that nobody reads.
            () = use_of.idle(patience) => if is_ending { return },
            () = closing.as_mut(), if !is_ending => {}
            _ = stopped.changed(), if !is_ending => {}
        }
        is_ending = true;
        connection.as_mut().graceful_shutdown();
    }
}

/// What a connection is used for at the moment.
#[derive(Debug)]
struct Use {
    /// Requests that are not answered yet, and sockets.
    busy: watch::Sender<usize>,
    sockets: AtomicUsize,
    seat: Seat,
}

impl Use {
    fn new(seat: Seat) -> Arc<Self> {
        Arc::new(Self {
            busy: watch::Sender::new(0),
            sockets: AtomicUsize::new(0),
            seat,
        })
    }

    fn begin(self: &Arc<Self>) -> Busy {
        self.busy.send_modify(|count| *count += 1);
        Busy(Arc::clone(self))
    }

    /// Waits until nothing has been going on for this long.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe; the time begins anew.
    async fn idle(&self, patience: Duration) {
        let mut busy = self.busy.subscribe();
        loop {
            let is_busy = *busy.borrow_and_update() > 0;
            if is_busy {
                let _ = busy.changed().await;
            } else if timeout(patience, busy.changed()).await.is_err() {
                return;
            }
        }
    }
}

/// Something that goes on.
#[derive(Debug)]
struct Busy(Arc<Use>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.send_modify(|count| *count -= 1);
    }
}

/// A session, by a socket or by server-sent events: while there is one, the connection keeps its seat.
#[derive(Debug)]
struct OpenSocket(Busy);

impl OpenSocket {
    fn new(use_of: &Arc<Use>) -> Self {
        let busy = use_of.begin();
        if use_of.sockets.fetch_add(1, Ordering::AcqRel) == 0 {
            use_of.seat.occupy(Occupation::Socket);
        }
        Self(busy)
    }
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        let use_of = &self.0.0;
        if use_of.sockets.fetch_sub(1, Ordering::AcqRel) == 1 {
            use_of.seat.occupy(Occupation::Waiting);
        }
    }
}

tokio::task_local! {
    /// The stream that a task works for.
    static STREAM: Arc<StreamState>;
}

/// What hyper does not let its streams be told: it sends a socket's bytes in a task of its own,
/// which goes on for ever if the peer opens no window.
#[derive(Debug)]
struct StreamState {
    use_of: Arc<Use>,
    aborted: Notify,
    dropped: Notify,
}

impl StreamState {
    /// Sends what hyper sends, until the socket is aborted, or dropped and the peer takes nothing.
    async fn carry<F: Future>(self: Arc<Self>, sending: F) {
        let given_up = async {
            self.dropped.notified().await;
            sleep(LINGER).await;
        };
        tokio::select! {
            _ = sending => {}
            () = self.aborted.notified() => {}
            () = given_up => {}
        }
    }
}

/// Runs what hyper spawns for a connection: a task for each stream, which in turn spawns one that
/// carries a socket's bytes out.
#[derive(Debug, Clone)]
struct Streams(Arc<Use>);

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, future: F) {
        match STREAM.try_with(Arc::clone) {
            Ok(stream) => drop(tokio::spawn(stream.carry(future))),
            Err(_) => {
                let stream = Arc::new(StreamState {
                    use_of: Arc::clone(&self.0),
                    aborted: Notify::new(),
                    dropped: Notify::new(),
                });
                tokio::spawn(STREAM.scope(stream, future));
            }
        }
    }
}

/// Has a future work for the stream that its maker works for, if it is one.
pub(crate) fn on_same_stream<F: Future>(future: F) -> impl Future<Output = F::Output> {
    match STREAM.try_with(Arc::clone) {
        Ok(stream) => Either::Left(STREAM.scope(stream, future)),
        Err(_) => Either::Right(future),
    }
}

/// A stream as a connection of its own.
#[derive(Debug)]
pub(crate) struct StreamIo {
    upgraded: TokioIo<Upgraded>,
    state: Arc<StreamState>,
    _socket: OpenSocket,
}

impl StreamIo {
    /// Takes a stream of Wharf's own server; gives anything else back.
    pub(crate) fn new(upgraded: Upgraded) -> Result<Self, Upgraded> {
        match STREAM.try_with(Arc::clone) {
            Ok(state) => Ok(Self {
                upgraded: TokioIo::new(upgraded),
                _socket: OpenSocket::new(&state.use_of),
                state,
            }),
            Err(_) => Err(upgraded),
        }
    }

    /// Resets the stream once it is dropped, with what is unsent.
    pub(crate) fn abort(&self) {
        self.state.aborted.notify_one();
    }
}

impl Drop for StreamIo {
    fn drop(&mut self) {
        self.state.dropped.notify_one();
    }
}

impl AsyncRead for StreamIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.upgraded).poll_read(cx, out)
    }
}

impl AsyncWrite for StreamIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.upgraded).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.upgraded).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.upgraded).poll_shutdown(cx)
    }
}
