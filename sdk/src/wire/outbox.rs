//! Encoded bytes on their way to the peer.

use std::{
    cell::Cell,
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::AsyncWrite;

use super::{encoder, pool};
use crate::{
    message::{Message, SharedMessage},
    policy::DeflateParams,
    wire::{
        deflate::{Deflater, Framed, Large},
        frame::{OpCode, RSV1},
        role::Role,
    },
};

/// Payloads up to this size are copied behind each other, so that many leave in one write; larger
/// ones are written from where they are.
const COPY_BYTES: usize = 8 * 1024;

/// With this much copied together, the transport asks for a flush before it takes more.
const HIGH_WATER_BYTES: usize = 64 * 1024;

/// The same, with what is written from where it is.
const HIGH_WATER_BY_REFERENCE_BYTES: usize = 256 * 1024;

/// How many pieces one vectored write is offered.
const MAX_SLICES: usize = 64;

/// With this many pieces, the transport asks for a flush before it takes more.
const HIGH_WATER_PIECES: usize = 4 * MAX_SLICES;

/// A list that has grown beyond this is not kept.
const MAX_SPARE_PIECES: usize = 2 * HIGH_WATER_PIECES;

thread_local! {
    // One is enough: a thread runs one connection at a time.
    static SPARE: Cell<Option<Box<Pending>>> = const { Cell::new(None) };
}

#[derive(Debug)]
pub(super) struct Outbox {
    role: Role,
    /// What the system has taken, ever.
    written_bytes: u64,
    /// Where messages are compressed.
    deflater: Option<Box<Deflater>>,
    /// Of the thread's, while there is something to write.
    pending: Option<Box<Pending>>,
}

/// Bytes that wait to be written.
#[derive(Debug, Default)]
struct Pending {
    /// The piece that is being written: one alone needs no list.
    front: Bytes,
    /// Between `front` and `tail`, in order.
    chunks: VecDeque<Bytes>,
    /// The bytes of `front` and `chunks`.
    chunk_bytes: usize,
    /// What is still being appended to.
    tail: BytesMut,
}

impl Outbox {
    pub(super) fn new(role: Role) -> Self {
        Self {
            role,
            written_bytes: 0,
            deflater: None,
            pending: None,
        }
    }

    /// Whose frames these are.
    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// Compresses messages from here on.
    pub(super) fn set_deflate(&mut self, params: &DeflateParams) {
        self.deflater = Deflater::agreed(params);
    }

    /// What the system has taken, ever.
    #[inline]
    pub(super) fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        let pending = self.pending.as_ref();
        pending.map_or(0, |pending| pending.len()) + self.deflating_bytes()
    }

    /// The bytes of a large message that is still being compressed. Nothing goes in behind it.
    #[inline]
    fn deflating_bytes(&self) -> usize {
        let deflater = self.deflater.as_ref();
        deflater.map_or(0, |deflater| deflater.held_bytes())
    }

    /// Whether it should be written before more is put in.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        let pending = self.pending.as_ref();
        self.deflating_bytes() > 0 || pending.is_some_and(|pending| pending.is_full())
    }

    /// Appends a message, by reference where its payload is large and not masked.
    #[inline]
    pub(super) fn push(&mut self, message: Message) {
        match message {
            Message::Text(text) => self.push_data(OpCode::Text, text.into_bytes()),
            Message::Binary(bytes) => self.push_data(OpCode::Binary, bytes),
            Message::Ping(bytes) => self.push_small(OpCode::Ping, &bytes),
            Message::Pong(bytes) => self.push_small(OpCode::Pong, &bytes),
            Message::Close(frame) => {
                let key = self.role.next_key();
                encoder::put_close(self.tail(), key, frame.as_ref());
            }
            // Refused long before: `write` takes text and binary only.
            Message::Unknown(_) => debug_assert!(false, "unknown frames are never written"),
        }
    }

    /// Appends a message that many connections send: by reference, whatever its size, where the
    /// frame is the same for all of them. A slow connection then holds no copy of it either.
    pub(super) fn push_shared(&mut self, message: &SharedMessage) {
        if !matches!(self.role, Role::Server) {
            return self.push(message.message().clone());
        }
        let bytes = message.payload_bytes();
        let deflater = self.deflater.as_deref_mut();
        let Some(deflater) = deflater.filter(|deflater| deflater.wants(bytes)) else {
            return self
                .pending()
                .push_chunk(message.plain_frame(encoder::server_frame));
        };
        let (opcode, payload) = match message.message() {
            Message::Text(text) => (OpCode::Text, text.as_bytes()),
            Message::Binary(bytes) => (OpCode::Binary, bytes),
            // Refused long before: only text and binary are shared.
            _ => return,
        };
        let Some(key) = deflater.sharing_key() else {
            return self.push(message.message().clone());
        };
        let encoding = message.encoding(key);
        if deflater.is_large(bytes) {
            return deflater.begin_shared(opcode, payload.clone(), message.clone(), encoding);
        }
        let frame = encoding
            .get_or_make(|| shared_frame(message, opcode, &deflater.deflate_shared(payload)));
        self.pending().push_chunk(frame);
    }

    /// Appends bytes that are frames already.
    pub(super) fn push_raw(&mut self, bytes: &[u8]) {
        self.tail().put_slice(bytes);
    }

    /// Goes on compressing what is large, a slice at a time. Pending after a slice, so that others
    /// of the thread have a turn, and while another thread is at one that is needed here; the task
    /// is woken for the next.
    #[inline]
    pub(super) fn poll_deflate(&mut self, cx: &Context<'_>) -> Poll<()> {
        match self.deflater {
            Some(_) => self.go_on_deflating(cx),
            None => Poll::Ready(()),
        }
    }

    fn go_on_deflating(&mut self, cx: &Context<'_>) -> Poll<()> {
        loop {
            let Some(deflater) = &mut self.deflater else {
                return Poll::Ready(());
            };
            if deflater.must_yield() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if deflater.held_bytes() == 0 {
                return Poll::Ready(());
            }
            match ready!(deflater.go_on(cx, shared_frame)) {
                None => {}
                Some(Large::Own(opcode, framed)) => self.push_framed(opcode, framed),
                Some(Large::Shared(frame)) => self.pending().push_chunk(frame),
            }
        }
    }

    /// Writes until nothing is left.
    pub(super) fn poll_write<IO: AsyncWrite + Unpin>(
        &mut self,
        io: &mut IO,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.pending {
            Some(pending) => pending.poll_write(io, cx, &mut self.written_bytes),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Gives buffers back that hold nothing.
    pub(super) fn rest(&mut self) {
        if let Some(pending) = self.pending.take_if(|pending| pending.len() == 0) {
            pending.give_back();
        }
    }

    /// Gives the buffer back, whatever is in it.
    pub(super) fn discard(&mut self) {
        if let Some(pending) = self.pending.take() {
            pool::give_back(pending.tail);
        }
    }

    #[inline]
    fn pending(&mut self) -> &mut Pending {
        self.pending.get_or_insert_with(Pending::lend)
    }

    /// What is still being appended to.
    #[inline]
    fn tail(&mut self) -> &mut BytesMut {
        self.pending().tail()
    }

    fn push_small(&mut self, opcode: OpCode, payload: &[u8]) {
        let key = self.role.next_key();
        encoder::put_frame(self.tail(), opcode.whole(), key, payload);
    }

    #[inline]
    fn push_data(&mut self, opcode: OpCode, payload: Bytes) {
        match &self.deflater {
            Some(deflater) if deflater.wants(payload.len()) => self.push_deflated(opcode, payload),
            _ => self.push_frame(opcode.whole(), payload),
        }
    }

    /// Appends a message, compressed if it is the smaller for it. A large one is only begun.
    fn push_deflated(&mut self, opcode: OpCode, payload: Bytes) {
        let Some(deflater) = &mut self.deflater else {
            return;
        };
        if deflater.is_large(payload.len()) {
            return deflater.begin(opcode, payload);
        }
        let pending = self.pending.get_or_insert_with(Pending::lend);
        let framed = deflater.deflate(&payload, |deflated| match deflated {
            None => Some(Framed::plain(payload.clone())),
            Some(deflated) if deflated.len() <= COPY_BYTES => {
                let key = self.role.next_key();
                encoder::put_frame(pending.tail(), opcode.whole() | RSV1, key, deflated);
                None
            }
            Some(deflated) => Some(Framed::deflated(Bytes::copy_from_slice(deflated))),
        });
        if let Some(framed) = framed {
            self.push_framed(opcode, framed);
        }
    }

    fn push_framed(&mut self, opcode: OpCode, framed: Framed) {
        let first = opcode.whole() | if framed.is_deflated { RSV1 } else { 0 };
        self.push_frame(first, framed.payload);
    }

    #[inline]
    fn push_frame(&mut self, first: u8, payload: Bytes) {
        if payload.len() <= COPY_BYTES {
            let key = self.role.next_key();
            encoder::put_frame(self.tail(), first, key, &payload);
        } else {
            self.push_by_reference(first, payload);
        }
    }

    fn push_by_reference(&mut self, first: u8, payload: Bytes) {
        if let Some(key) = self.role.next_key() {
            // A copy of its own size, so that the lent buffer does not grow.
            let mut frame = BytesMut::with_capacity(encoder::MAX_HEAD_BYTES + payload.len());
            encoder::put_frame(&mut frame, first, Some(key), &payload);
            return self.pending().push_chunk(frame.freeze());
        }
        let pending = self.pending();
        encoder::put_head(pending.tail(), first, payload.len());
        pending.push_chunk(payload);
    }
}

impl Pending {
    #[inline]
    fn len(&self) -> usize {
        self.chunk_bytes + self.tail.len()
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.tail.len() >= HIGH_WATER_BYTES
            || self.len() >= HIGH_WATER_BY_REFERENCE_BYTES
            || self.chunks.len() >= HIGH_WATER_PIECES
    }

    #[inline]
    fn tail(&mut self) -> &mut BytesMut {
        if self.tail.capacity() == 0 {
            self.tail = pool::lend();
        }
        &mut self.tail
    }

    /// Appends bytes from where they are, behind what is copied together so far.
    fn push_chunk(&mut self, chunk: Bytes) {
        let before = match self.tail.is_empty() {
            true => Bytes::new(),
            false => self.tail.split().freeze(),
        };
        for chunk in [before, chunk] {
            if chunk.is_empty() {
                continue;
            }
            self.chunk_bytes += chunk.len();
            if self.front.is_empty() {
                self.front = chunk;
            } else {
                self.chunks.push_back(chunk);
            }
        }
    }

    fn poll_write<IO: AsyncWrite + Unpin>(
        &mut self,
        io: &mut IO,
        cx: &mut Context<'_>,
        written_bytes: &mut u64,
    ) -> Poll<io::Result<()>> {
        while !self.front.is_empty() {
            if self.chunks.is_empty() && self.tail.is_empty() {
                let written = ready!(Pin::new(&mut *io).poll_write(cx, &self.front))?;
                self.advance(nonzero(written)?);
                *written_bytes += written as u64;
                continue;
            }
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let pieces = [&self.front]
                .into_iter()
                .chain(&self.chunks)
                .map(|chunk| &chunk[..])
                .chain([&self.tail[..]]);
            let mut used = 0;
            for (slice, piece) in slices.iter_mut().zip(pieces) {
                *slice = IoSlice::new(piece);
                used += 1;
            }
            let written = ready!(Pin::new(&mut *io).poll_write_vectored(cx, &slices[..used]))?;
            self.advance(nonzero(written)?);
            *written_bytes += written as u64;
        }
        let mut written = 0;
        while written < self.tail.len() {
            match Pin::new(&mut *io).poll_write(cx, &self.tail[written..])? {
                Poll::Ready(count) => {
                    written += nonzero(count)?;
                    *written_bytes += count as u64;
                }
                Poll::Pending => {
                    self.tail.advance(written);
                    return Poll::Pending;
                }
            }
        }
        self.tail.clear();
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        while !self.front.is_empty() {
            let count = written.min(self.front.len());
            self.chunk_bytes -= count;
            written -= count;
            self.front.advance(count);
            if !self.front.is_empty() {
                return;
            }
            let next = self.chunks.pop_front().unwrap_or_default();
            pool::recycle(std::mem::replace(&mut self.front, next));
        }
        self.tail.advance(written);
    }

    fn lend() -> Box<Self> {
        SPARE.take().unwrap_or_default()
    }

    /// Gives it back to the thread, written out as it is.
    fn give_back(mut self: Box<Self>) {
        if !pool::is_whole(&mut self.tail) {
            self.tail = BytesMut::new();
        }
        if self.chunks.capacity() <= MAX_SPARE_PIECES {
            // Connections may be dropped by a thread that is ending.
            let _ = SPARE.try_with(|spare| spare.set(Some(self)));
        }
    }
}

/// A compressed message as servers frame it; the plain frame where that is the smaller.
fn shared_frame(message: &SharedMessage, opcode: OpCode, framed: &Framed) -> Bytes {
    if !framed.is_deflated {
        return message.plain_frame(encoder::server_frame);
    }
    let mut frame = BytesMut::with_capacity(encoder::MAX_HEAD_BYTES + framed.payload.len());
    encoder::put_frame(&mut frame, opcode.whole() | RSV1, None, &framed.payload);
    frame.freeze()
}

fn nonzero(written: usize) -> io::Result<usize> {
    match written {
        0 => Err(io::ErrorKind::WriteZero.into()),
        written => Ok(written),
    }
}
