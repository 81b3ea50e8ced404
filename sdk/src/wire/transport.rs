//! What a driver owes the core.

use std::{
    fmt,
    task::{Context, Poll},
};

use crate::{
    message::{Message, Result, SharedMessage},
    wire::native::NativeSocket,
};

/// Moves whole messages and control frames between one peer and a session.
///
/// Object-safe, poll-based and without a `Send` bound: a transport lives inside its session's
/// task, and on some frameworks that task is bound to a thread. Most drivers carry bytes and use
/// [`WireTransport`](crate::wire::WireTransport); implement this trait over a library that speaks
/// messages.
///
/// # Contract
///
/// - A transport decides nothing: it answers no ping, limits no queue, keeps no timer. The session
///   does, for every driver.
/// - Messages that arrived before a violation are yielded before it.
/// - Inbound sizes are checked before a message is held in memory.
/// - A method that returns `Pending` has arranged for `cx` to be woken. Every method may be called
///   again after any `Pending`, and dropping the transport at any point drops the connection.
pub trait Transport: fmt::Debug {
    /// The next message from the peer; `None` when the peer's side has ended.
    ///
    /// # Errors
    ///
    /// A violation, with kind `Protocol`, `InvalidData` or `TooLarge`, after which only
    /// [`poll_close`](Self::poll_close) is called for this direction; kind `Io` when the
    /// connection failed.
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message>>>;

    /// Whether [`poll_recv`](Self::poll_recv) leaves a large message with the peer, as far as it has
    /// not been read yet, while others may be on their way out. It may return `Pending` for it
    /// without a wake to come: it is polled again when this changes. A transport that cannot tell
    /// what comes goes on as ever.
    fn hold_large(&mut self, _holds: bool) {}

    /// Waits until [`start_send`](Self::start_send) may be called.
    ///
    /// # Errors
    ///
    /// Kind `Io` when the connection failed.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>>;

    /// Takes one message, of any kind but `Unknown`, into the transport's own buffer. Small
    /// messages are gathered until [`poll_flush`](Self::poll_flush).
    ///
    /// # Errors
    ///
    /// Kind `Io` when the connection failed.
    fn start_send(&mut self, message: Message) -> Result<()>;

    /// The same for a message that many connections send: one that can share its encoding with
    /// them does.
    ///
    /// # Errors
    ///
    /// Kind `Io` when the connection failed.
    fn start_send_shared(&mut self, message: &SharedMessage) -> Result<()> {
        self.start_send(message.message().clone())
    }

    /// Hands everything that was taken to the operating system.
    ///
    /// # Errors
    ///
    /// Kind `Io` when the connection failed.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>>;

    /// Flushes, ends the outbound direction, and discards what still arrives until the peer ends
    /// its own, so that the last frames are not lost to a reset. The session bounds the wait.
    ///
    /// # Errors
    ///
    /// Kind `Io` when the connection failed.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>>;

    /// The session is about to sleep: buffers that hold nothing can be given back.
    fn rest(&mut self);

    /// How many bytes were taken and not yet handed to the operating system.
    fn unsent_bytes(&self) -> usize;

    /// How much of a message that is not complete has arrived: it tells slow peers from dead ones.
    /// Nothing, if the transport cannot tell.
    fn unfinished(&self) -> Unfinished {
        Unfinished::default()
    }

    /// How many bytes have gone each way on the connection itself, frame heads and all; nothing, if
    /// the transport cannot tell. Then payloads are counted in their place.
    fn traffic(&self) -> Option<Traffic> {
        None
    }

    /// The connection will be dropped before everything was sent, because the peer takes nothing:
    /// the system need not go on trying. Called at most once, right before the drop.
    fn abort(&mut self) {}

    /// The framework's own socket, made on first demand. While a handler holds it, data that it
    /// asks for goes to it rather than to `read`.
    ///
    /// # Errors
    ///
    /// Kind `Unsupported` where there is none, or where it was taken already.
    fn poll_native(&mut self, cx: &mut Context<'_>) -> Poll<Result<Box<dyn NativeSocket>>>;
}

/// Bytes on the connection so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Read from it.
    pub received_bytes: u64,
    /// Taken by the system to be sent.
    pub sent_bytes: u64,
}

/// How much has arrived of a message that is not complete.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// Payload bytes, those of its complete fragments included.
    pub bytes: u64,
    /// Complete fragments.
    pub fragments: u64,
}

/// What a driver's transports can do. Behaviour never depends on a driver's name, only on these.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// The driver's name: for logs, metrics and the route snapshot only.
    pub driver: &'static str,
    /// Whether [`poll_native`](Transport::poll_native) yields a framework's socket.
    pub native: bool,
    /// Whether frames without a name in the protocol reach the session as
    /// [`Message::Unknown`]; if not, they are violations.
    pub unknown_frames: bool,
    /// Whether the session owns the connection, and one whose peer does not read can be dropped at
    /// once. Where it does not, what a peer sends behind the end cannot be discarded either: late
    /// input may make TCP reset the connection, and the peer loses our last frames.
    pub abort: bool,
    /// Whether messages can be compressed (permessage-deflate).
    pub compression: bool,
    /// Whether sockets can be streams of an HTTP/2 connection, opened by extended CONNECT
    /// ([RFC 8441](https://www.rfc-editor.org/rfc/rfc8441)).
    pub extended_connect: bool,
}

impl Capabilities {
    /// Capabilities of a driver that carries bytes through
    /// [`WireTransport`](crate::wire::WireTransport).
    pub const fn wire(driver: &'static str) -> Self {
        Self {
            driver,
            native: false,
            unknown_frames: false,
            abort: true,
            compression: cfg!(feature = "deflate"),
            extended_connect: false,
        }
    }

    /// The same with [`native`](Self::native) set.
    #[must_use]
    pub const fn with_native(mut self, native: bool) -> Self {
        self.native = native;
        self
    }

    /// The same with [`unknown_frames`](Self::unknown_frames) set.
    #[must_use]
    pub const fn with_unknown_frames(mut self, unknown_frames: bool) -> Self {
        self.unknown_frames = unknown_frames;
        self
    }

    /// The same with [`abort`](Self::abort) set.
    #[must_use]
    pub const fn with_abort(mut self, abort: bool) -> Self {
        self.abort = abort;
        self
    }

    /// The same with [`compression`](Self::compression) set.
    #[must_use]
    pub const fn with_compression(mut self, compression: bool) -> Self {
        self.compression = compression;
        self
    }

    /// The same with [`extended_connect`](Self::extended_connect) set.
    #[must_use]
    pub const fn with_extended_connect(mut self, extended_connect: bool) -> Self {
        self.extended_connect = extended_connect;
        self
    }
}
