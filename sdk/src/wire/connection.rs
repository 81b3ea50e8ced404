//! A [`Transport`] over anything that reads and writes bytes.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::{
    bridge::{self},
    pool,
};
use crate::{
    message::{Error, ErrorKind, Message, Result, SharedMessage},
    policy::DeflateParams,
    wire::{
        bridge::{NativePipe, PipeEnd},
        decoder::Decoder,
        encoder::{MAX_HEAD_BYTES, encode_client_frame},
        frame::OpCode,
        limits::WireLimits,
        native::NativeSocket,
        outbox::Outbox,
        role::Role,
        transport::{Traffic, Transport, Unfinished},
    },
};

/// A resting connection keeps an incomplete frame of up to this size in a buffer of its own and
/// gives the big one back.
const KEEP_BYTES: usize = 4 * 1024;

/// With this much of a frame missing, reads take up to [`LARGE_READ_BYTES`].
const LARGE_FRAME_BYTES: usize = 16 * 1024;
const LARGE_READ_BYTES: usize = 128 * 1024;

/// One read takes up to this much of a large frame: what is unmasked next is still in the cache.
const FRAME_READ_BYTES: usize = 256 * 1024;

/// How many reads one message gets before the task yields.
const MAX_READS: u32 = 8;

/// A resting connection keeps a large buffer only if more than one part in so many of it is filled.
const KEEP_PARTS: usize = 16;

/// Makes a driver's native socket over a pipe. The second argument is the selected subprotocol.
pub type NativeFactory =
    fn(NativePipe, Option<String>) -> BoxFuture<'static, Result<Box<dyn NativeSocket>>>;

/// Speaks WebSocket over any byte stream: what drivers that carry bytes hand to a session.
pub struct WireTransport<IO> {
    io: IO,
    decoder: Decoder,
    inbound: BytesMut,
    outbox: Outbox,
    /// What has been read, ever.
    read_bytes: u64,
    /// What `inbound` was grown to, of which messages may have been cut off since. A buffer of
    /// 4 GiB is as large as any.
    grown_bytes: u32,
    /// What this side says is said; the rest of what the other one does is discarded.
    is_shut_down: bool,
    /// The other side has ended too.
    is_drained: bool,
    /// What is missing of a large frame is left with the peer.
    holds_large: bool,
    native: Native,
    abort: Option<fn(&IO)>,
}

/// The way to the framework's socket; boxed, since nearly no connection asks for it.
enum Native {
    None,
    Factory(NativeFactory),
    /// With the selected subprotocol.
    FactoryFor(Box<(NativeFactory, String)>),
    Building(Box<Building>),
    Open(Box<Bridge>),
}

struct Building {
    bridge: Box<Bridge>,
    native: BoxFuture<'static, Result<Box<dyn NativeSocket>>>,
}

struct Bridge {
    end: PipeEnd,
    /// Bytes of the current frame that still go to the native socket.
    pass_bytes: u64,
    /// The current message goes to the native socket.
    passes_message: bool,
    /// The next message is decoded and goes to the native socket.
    takes_next: bool,
    /// Payload bytes of that message so far.
    passed_bytes: u64,
    /// Everything that was passed.
    passed: Unfinished,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> WireTransport<IO> {
    /// Wraps a connection right after its 101; `early` are bytes that came with the request.
    pub fn new(io: IO, early: &Bytes, limits: WireLimits) -> Self {
        Self::in_role(Role::Server, io, early, limits)
    }

    /// Wraps one side of a connection right after its 101; `early` are bytes of the other side's
    /// that have been read already.
    pub fn in_role(role: Role, io: IO, early: &Bytes, limits: WireLimits) -> Self {
        Self {
            io,
            decoder: Decoder::for_role(role, limits),
            inbound: BytesMut::from(&early[..]),
            outbox: Outbox::new(role),
            read_bytes: early.len() as u64,
            grown_bytes: 0,
            is_shut_down: false,
            is_drained: false,
            holds_large: false,
            native: Native::None,
            abort: None,
        }
    }

    /// Makes the framework's socket reachable.
    #[must_use]
    pub fn with_native(mut self, factory: NativeFactory, subprotocol: Option<String>) -> Self {
        self.native = match subprotocol {
            None => Native::Factory(factory),
            Some(subprotocol) => Native::FactoryFor(Box::new((factory, subprotocol))),
        };
        self
    }

    /// Compresses messages as both sides agreed; nothing if they did not.
    #[must_use]
    pub fn with_deflate(mut self, agreed: Option<&DeflateParams>) -> Self {
        if let Some(params) = agreed {
            self.decoder.set_deflate(params);
            self.decoder.inflate_in_slices();
            self.outbox.set_deflate(params);
        }
        self
    }

    /// Makes the connection droppable with what is unsent: `abort` tells the system, which else
    /// goes on sending for minutes what a peer does not take.
    #[must_use]
    pub fn with_abort(mut self, abort: fn(&IO)) -> Self {
        self.abort = Some(abort);
        self
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.inbound.capacity() <= KEEP_BYTES {
            let mut buffer = pool::lend();
            self.grown_bytes = 0;
            buffer.extend_from_slice(&self.inbound);
            let outgrown = std::mem::replace(&mut self.inbound, buffer);
            if outgrown.capacity() > 0 {
                pool::give_back(outgrown);
            }
        }
        let count = match self.decoder.large_frame_missing(self.inbound.len()) {
            Some(missing) => ready!(self.poll_fill_large(cx, missing))?,
            None => ready!(self.poll_fill_shared(cx))?,
        };
        self.read_bytes += count as u64;
        Poll::Ready(Ok(count))
    }

    /// Reads what is missing of a large frame, and nothing behind it.
    #[inline(never)]
    fn poll_fill_large(&mut self, cx: &mut Context<'_>, missing: usize) -> Poll<io::Result<usize>> {
        let held = self.inbound.len();
        if self.inbound.capacity() - held < missing.min(KEEP_BYTES) {
            let buffer = pool::lend_large(held + missing).unwrap_or_else(|| {
                BytesMut::with_capacity(
                    held + self
                        .decoder
                        .wanted_bytes(held)
                        .max(missing.min(LARGE_READ_BYTES)),
                )
            });
            let outgrown = std::mem::replace(&mut self.inbound, buffer);
            self.inbound.extend_from_slice(&outgrown);
            // Of the sizes in between, none is asked for again.
            if outgrown.capacity() < pool::LARGE_BYTES {
                pool::give_back(outgrown);
            }
            self.note_growth();
        }
        let mut room = (&mut self.inbound).limit(missing.min(FRAME_READ_BYTES));
        pin!(self.io.read_buf(&mut room)).poll(cx)
    }

    /// Reads as much as there is room for, in a buffer that frames are cut from.
    fn poll_fill_shared(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let wanted = self.decoder.wanted_bytes(self.inbound.len());
        // Grow when the frame in progress needs it, or when messages cut off the front have used
        // the buffer up; the latter costs nothing once those messages are gone.
        if self.inbound.capacity() - self.inbound.len() < wanted.max(KEEP_BYTES) {
            // Where large frames come, more of them are mostly waiting.
            let at_least = match wanted {
                0..LARGE_FRAME_BYTES => pool::BUFFER_BYTES,
                LARGE_FRAME_BYTES.. => LARGE_READ_BYTES,
            };
            self.inbound.reserve(wanted.max(at_least));
            self.note_growth();
        }
        pin!(self.io.read_buf(&mut self.inbound)).poll(cx)
    }

    fn note_growth(&mut self) {
        self.grown_bytes = u32::try_from(self.inbound.capacity()).unwrap_or(u32::MAX);
    }

    /// Serves the native socket: takes what it wrote, passes on what it waits for. Pending while
    /// it has more to read than it has taken.
    fn poll_bridge(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        let Some(bridge) = self.native.bridge_mut() else {
            return Poll::Ready(Ok(()));
        };
        bridge.take_written(cx, &mut self.outbox);
        loop {
            if bridge.pass_bytes > 0 {
                if bridge.end.is_full() {
                    return Poll::Pending;
                }
                let left = usize::try_from(bridge.pass_bytes).unwrap_or(usize::MAX);
                let count = self.inbound.len().min(left);
                if count == 0 {
                    return Poll::Ready(Ok(()));
                }
                bridge.end.pass(&self.inbound[..count]);
                self.inbound.advance(count);
                bridge.pass_bytes -= count as u64;
                bridge.passed.bytes += count as u64;
                continue;
            }
            if !bridge.passes_message && bridge.end.is_gone() {
                self.native = Native::None;
                return Poll::Ready(Ok(()));
            }
            let may_pass = bridge.passes_message || bridge.end.wants_message();
            if !may_pass || !self.decoder.is_at_boundary() {
                return Poll::Ready(Ok(()));
            }
            match self.decoder.parse_head(&self.inbound)? {
                // The framework's socket knows of no compression: it is passed what the decoder
                // makes of the message.
                Some(head) if head.is_deflated => {
                    if bridge.end.is_full() {
                        return Poll::Pending;
                    }
                    bridge.takes_next = true;
                    return Poll::Ready(Ok(()));
                }
                // Control frames stay the session's: it answers pings and counts pongs.
                Some(head) if !head.opcode.is_control() => {
                    if !bridge.passes_message {
                        bridge.passed_bytes = 0;
                    }
                    bridge.passed_bytes = bridge.passed_bytes.saturating_add(head.payload_bytes);
                    self.decoder.check_message_bytes(bridge.passed_bytes)?;
                    bridge.passes_message = !head.fin;
                    bridge.passed.fragments += 1;
                    bridge.pass_bytes = u64::from(head.head_bytes) + head.payload_bytes;
                }
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl Native {
    fn build(factory: NativeFactory, subprotocol: Option<String>) -> Self {
        let (pipe, end) = bridge::pipe();
        let bridge = Box::new(Bridge {
            end,
            pass_bytes: 0,
            passes_message: false,
            takes_next: false,
            passed_bytes: 0,
            passed: Unfinished::default(),
        });
        let native = factory(pipe, subprotocol);
        Self::Building(Box::new(Building { bridge, native }))
    }

    /// Whether there is a native socket, or soon will be.
    #[inline]
    fn is_made(&self) -> bool {
        matches!(self, Self::Building(_) | Self::Open(_))
    }

    /// The way to the native socket that there is, or soon will be.
    fn bridge(&self) -> Option<&Bridge> {
        match self {
            Self::Building(building) => Some(&building.bridge),
            Self::Open(bridge) => Some(bridge),
            Self::None | Self::Factory(_) | Self::FactoryFor(_) => None,
        }
    }

    fn bridge_mut(&mut self) -> Option<&mut Bridge> {
        match self {
            Self::Building(building) => Some(&mut building.bridge),
            Self::Open(bridge) => Some(bridge),
            Self::None | Self::Factory(_) | Self::FactoryFor(_) => None,
        }
    }

    /// Passes on a decoded message that the native socket waits for; returns any other.
    #[inline]
    fn keep(&mut self, message: Message) -> Option<Message> {
        match self.bridge_mut() {
            Some(bridge) if bridge.takes_next => bridge.keep(message),
            _ => Some(message),
        }
    }
}

impl Bridge {
    /// Passes on a decoded message; returns a control frame, which is the session's.
    fn keep(&mut self, message: Message) -> Option<Message> {
        let (opcode, payload) = match &message {
            Message::Text(text) => (OpCode::Text, text.as_bytes().as_ref()),
            Message::Binary(bytes) => (OpCode::Binary, &bytes[..]),
            _ => return Some(message),
        };
        let mut frame = BytesMut::with_capacity(MAX_HEAD_BYTES + payload.len());
        // It is a pipe within the process: any key will do.
        encode_client_frame(&mut frame, opcode.whole(), [0; 4], payload);
        self.end.pass(&frame);
        self.takes_next = false;
        self.passed.fragments += 1;
        self.passed.bytes += frame.len() as u64;
        None
    }

    /// Moves what the native socket wrote, as long as the peer takes it.
    fn take_written(&self, cx: &Context<'_>, outbox: &mut Outbox) {
        let has_room = !outbox.is_full();
        self.end
            .take_written(cx, has_room, |bytes| outbox.push_raw(bytes));
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Transport for WireTransport<IO> {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message>>> {
        for _ in 0..MAX_READS {
            if self.native.is_made() {
                ready!(self.poll_bridge(cx))?;
            }
            let has_more = !self.inbound.is_empty() || self.decoder.is_paused();
            if has_more && let Some(message) = self.decoder.decode(&mut self.inbound)? {
                match self.native.keep(message) {
                    Some(message) => return Poll::Ready(Some(Ok(message))),
                    None => continue,
                }
            }
            if self.decoder.must_yield() {
                break;
            }
            let held_bytes = self.inbound.len();
            if self.holds_large && self.decoder.large_frame_missing(held_bytes).is_some() {
                return Poll::Pending;
            }
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(None);
            }
        }
        // A large message, or one of very many fragments: neighbours are served in between.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn hold_large(&mut self, holds: bool) {
        self.holds_large = holds;
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let Native::Open(bridge) = &mut self.native {
            // What the native socket wrote was written before what the session sends next.
            bridge.take_written(cx, &mut self.outbox);
        }
        if self.outbox.poll_deflate(cx).is_pending() {
            // What is ready leaves meanwhile.
            let _ = self.outbox.poll_write(&mut self.io, cx)?;
            return Poll::Pending;
        }
        if self.outbox.is_full() {
            ready!(self.outbox.poll_write(&mut self.io, cx))?;
        }
        Poll::Ready(Ok(()))
    }

    fn start_send(&mut self, message: Message) -> Result<()> {
        self.outbox.push(message);
        Ok(())
    }

    fn start_send_shared(&mut self, message: &SharedMessage) -> Result<()> {
        self.outbox.push_shared(message);
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let is_deflating = self.outbox.poll_deflate(cx).is_pending();
        ready!(self.outbox.poll_write(&mut self.io, cx))?;
        if is_deflating {
            return Poll::Pending;
        }
        Pin::new(&mut self.io).poll_flush(cx).map_err(Error::from)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if !self.is_shut_down {
            ready!(self.poll_flush(cx))?;
            if self.outbox.role().ends_first() {
                ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
            }
            self.is_shut_down = true;
        }
        while !self.is_drained {
            self.inbound.clear();
            self.is_drained = ready!(self.poll_fill(cx))? == 0;
        }
        if !self.outbox.role().ends_first() {
            // The server has ended it: what is left is a word that the layer below may owe.
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    fn rest(&mut self) {
        self.outbox.rest();
        let held = self.inbound.len();
        if self.grown_bytes as usize > pool::LARGE_BYTES.max(KEEP_PARTS * held) {
            // The large message that it grew for is cut off, or the pool would have no use for it.
            let kept = BytesMut::from(&self.inbound[..]);
            pool::give_back(std::mem::replace(&mut self.inbound, kept));
            self.grown_bytes = 0;
        }
        if held <= KEEP_BYTES && self.inbound.capacity() > KEEP_BYTES {
            if held > 0 {
                let kept = BytesMut::from(&self.inbound[..]);
                pool::give_back(std::mem::replace(&mut self.inbound, kept));
            } else if self.inbound.try_reclaim(pool::BUFFER_BYTES) {
                pool::give_back(std::mem::take(&mut self.inbound));
            }
        }
    }

    fn unsent_bytes(&self) -> usize {
        self.outbox.len()
    }

    fn unfinished(&self) -> Unfinished {
        let mut unfinished = self.decoder.unfinished(self.inbound.len());
        if let Some(bridge) = self.native.bridge() {
            // The session does not see the messages that the native socket gets.
            unfinished.bytes += bridge.passed.bytes;
            unfinished.fragments += bridge.passed.fragments;
        }
        unfinished
    }

    fn traffic(&self) -> Option<Traffic> {
        Some(Traffic {
            received_bytes: self.read_bytes,
            sent_bytes: self.outbox.written_bytes(),
        })
    }

    fn abort(&mut self) {
        if let Some(abort) = self.abort {
            abort(&self.io);
        }
    }

    fn poll_native(&mut self, cx: &mut Context<'_>) -> Poll<Result<Box<dyn NativeSocket>>> {
        loop {
            match std::mem::replace(&mut self.native, Native::None) {
                Native::Factory(factory) => self.native = Native::build(factory, None),
                Native::FactoryFor(wanted) => {
                    let (factory, subprotocol) = *wanted;
                    self.native = Native::build(factory, Some(subprotocol));
                }
                Native::Building(mut building) => {
                    let Poll::Ready(native) = building.native.as_mut().poll(cx) else {
                        self.native = Native::Building(building);
                        return Poll::Pending;
                    };
                    self.native = Native::Open(building.bridge);
                    return Poll::Ready(native);
                }
                taken @ (Native::Open(_) | Native::None) => {
                    self.native = taken;
                    return Poll::Ready(Err(Error::new(
                        ErrorKind::Unsupported,
                        "WHARF_NO_NATIVE",
                        "this driver has no native socket; check capabilities().native first",
                    )));
                }
            }
        }
    }
}

/// A connection that ends while it runs gives its buffers back too.
impl<IO> Drop for WireTransport<IO> {
    fn drop(&mut self) {
        self.outbox.discard();
        pool::give_back(std::mem::take(&mut self.inbound));
    }
}

impl<IO> std::fmt::Debug for WireTransport<IO> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WireTransport")
            .field("unsent_bytes", &self.outbox.len())
            .finish_non_exhaustive()
    }
}
