//! A session over memory, polled by hand: no task, no system call, no peer that would be counted.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::Runtime,
};
use wharf_sdk::{
    App, Compression, Configure, Message, Principal, RateLimit, Route, Sender, Socket,
    driver::{Connection as Accepted, Session, WireTransport, encode_client_frame},
    middleware::{RequestIdLayer, Trace, from_fn},
    observer::{Log, Metrics},
};

use super::{clock, site::accept_plain};

/// Payload of each message.
const PAYLOAD: [u8; 64] = [b'x'; 64];

/// What a short message takes on the wire besides its payload, as a server sends it.
const HEADER_BYTES: usize = 2;

/// How a route is set.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Settings {
    /// No timer, no rate.
    Bare,
    /// Every timer, rate and limit there is, none of which is reached.
    Everything,
    /// No timer, no rate; observers and spans, with nobody listening to them.
    Observed,
    /// No timer, no rate; compression where it is agreed on, and it is not.
    Compressible,
}

/// A session and the peer's side of its connection.
pub(crate) struct Connection {
    session: Pin<Box<Session<WireTransport<Wire>>>>,
    wire: Wire,
    /// What each message comes back as.
    answer_bytes: usize,
    runtime: Runtime,
}

/// A session that is written to from outside.
pub(crate) struct Delivery {
    connection: Connection,
    sender: Sender,
}

impl Connection {
    /// Opens a connection to an echo and warms it up with bursts of `in_flight` messages.
    pub(crate) fn open(settings: Settings, in_flight: usize) -> Self {
        let app = app(settings, &Arc::default());
        Self::to(&app, "/echo", in_flight, &PAYLOAD, PAYLOAD.len())
    }

    /// Opens a connection to a route that answers each `payload` with so many bytes, and warms it up.
    pub(crate) fn to(
        app: &App,
        path: &str,
        in_flight: usize,
        payload: &[u8],
        answer_bytes: usize,
    ) -> Self {
        let runtime = clock();
        let guard = runtime.enter();
        let upgrade = accept_plain(app, path);
        let wire = Wire::of_bursts(in_flight, payload);
        let mut session = Box::pin(upgrade.connect(Accepted::new(wire.clone())));
        poll(&mut session);
        drop(guard);
        let mut connection = Self {
            session,
            wire,
            answer_bytes: answer_bytes + HEADER_BYTES,
            runtime,
        };
        connection.echo(50);
        connection
    }

    /// Lets bursts come and counts that every message is answered.
    pub(crate) fn echo(&mut self, bursts: usize) {
        let _guard = self.runtime.enter();
        for _ in 0..bursts {
            let burst = self.wire.offer();
            poll(&mut self.session);
            assert_eq!(self.wire.take_written(), burst * self.answer_bytes);
        }
    }
}

impl Delivery {
    /// Opens a connection and warms it up.
    pub(crate) fn open(settings: Settings) -> Self {
        let handed_out = Arc::default();
        let app = app(settings, &handed_out);
        let connection = Connection::to(&app, "/echo", 1, &PAYLOAD, PAYLOAD.len());
        let sender = handed_out.lock().expect("not poisoned").take();
        let mut delivery = Self {
            connection,
            sender: sender.expect("the handler has begun"),
        };
        delivery.deliver(50);
        delivery
    }

    /// Writes through a `Sender` from outside, message by message.
    pub(crate) fn deliver(&mut self, messages: usize) {
        let connection = &mut self.connection;
        let _guard = connection.runtime.enter();
        let message = Message::binary(Bytes::from_static(&PAYLOAD));
        for _ in 0..messages {
            self.sender
                .try_send(message.clone())
                .expect("there is room");
            poll(&mut connection.session);
            assert_eq!(connection.wire.take_written(), connection.answer_bytes);
        }
    }
}

fn poll(session: &mut Pin<Box<Session<WireTransport<Wire>>>>) {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(
        session.as_mut().poll(&mut cx).is_pending(),
        "the session ended"
    );
}

fn app(settings: Settings, handed_out: &Arc<Mutex<Option<Sender>>>) -> App {
    let handed_out = Arc::clone(handed_out);
    let route = Route::new("/echo", move |mut socket: Socket| {
        *handed_out.lock().expect("not poisoned") = Some(socket.sender());
        async move {
            while let Some(message) = socket.read().await? {
                socket.write(message).await?;
            }
            Ok::<_, wharf_sdk::Error>(())
        }
    });
    let hour = Duration::from_secs(3600);
    let route = match settings {
        Settings::Bare | Settings::Observed => route.no_heartbeat(),
        // Were it agreed on, every message would be shorter than is asserted.
        Settings::Compressible => route
            .no_heartbeat()
            .compression(Compression::new().threshold_bytes(0)),
        Settings::Everything => route
            .heartbeat(hour, hour)
            .idle_timeout(hour)
            .first_message_timeout(hour)
            .max_age(hour)
            .write_deadline(hour)
            .rate_limit(RateLimit::per_second(u32::MAX).and_bytes(u64::MAX >> 8))
            .max_connections(1000)
            .middleware(from_fn(move |mut context, next| {
                let expiry = SystemTime::now() + hour;
                context.set_principal(Principal::new("somebody").expiring_at(expiry));
                async { Ok(next.run(context).await) }
            })),
    };
    let app = match settings {
        Settings::Observed => App::builder()
            .observer(Log)
            .observer(Metrics::default())
            .middleware(RequestIdLayer)
            .middleware(Trace),
        _ => App::builder(),
    };
    app.route(route).build().expect("nothing contradicts")
}

/// Bytes that come when they are offered, and a sink.
#[derive(Debug, Clone, Default)]
struct Wire(Rc<RefCell<WireState>>);

#[derive(Debug, Default)]
struct WireState {
    burst: Bytes,
    messages: usize,
    /// What has come of the burst and is not read.
    offered: Bytes,
    written_bytes: usize,
}

impl Wire {
    /// Bursts of so many messages.
    fn of_bursts(messages: usize, payload: &[u8]) -> Self {
        let mut burst = BytesMut::new();
        for _ in 0..messages {
            encode_client_frame(&mut burst, 0x81, [1, 2, 3, 4], payload);
        }
        let wire = Self::default();
        {
            let mut state = wire.0.borrow_mut();
            state.burst = burst.freeze();
            state.messages = messages;
        }
        wire
    }

    /// Lets a burst come; returns its messages.
    fn offer(&self) -> usize {
        let mut state = self.0.borrow_mut();
        state.offered = state.burst.clone();
        state.messages
    }

    fn take_written(&self) -> usize {
        std::mem::take(&mut self.0.borrow_mut().written_bytes)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.borrow_mut();
        if state.offered.is_empty() {
            return Poll::Pending;
        }
        let count = state.offered.len().min(out.remaining());
        out.put_slice(&state.offered.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().written_bytes += bytes.len();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
