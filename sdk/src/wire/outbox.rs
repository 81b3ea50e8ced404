//! Encoded bytes on their way to the peer.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::AsyncWrite;

use super::{encoder, pool};
use crate::{
    message::Message,
    wire::{frame::OpCode, role::Role},
};

/// Payloads up to this size are copied behind each other, so that many leave in one write; larger
/// ones are written from where they are.
const COPY_BYTES: usize = 8 * 1024;

/// With this much copied together, the transport asks for a flush before it takes more.
const HIGH_WATER_BYTES: usize = 64 * 1024;

/// The same, with what is written from where it is.
const HIGH_WATER_BY_REFERENCE_BYTES: usize = 256 * 1024;

/// How many pieces one vectored write is offered.
const MAX_SLICES: usize = 16;

#[derive(Debug)]
pub(super) struct Outbox {
    role: Role,
    /// Before `tail`, in order.
    chunks: VecDeque<Bytes>,
    chunk_bytes: usize,
    /// What is still being appended to.
    tail: BytesMut,
}

impl Outbox {
    pub(super) fn new(role: Role) -> Self {
        Self {
            role,
            chunks: VecDeque::new(),
            chunk_bytes: 0,
            tail: BytesMut::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.chunk_bytes + self.tail.len()
    }

    /// Whether it should be written before more is put in.
    pub(super) fn is_full(&self) -> bool {
        self.tail.len() >= HIGH_WATER_BYTES || self.len() >= HIGH_WATER_BY_REFERENCE_BYTES
    }

    /// Appends a message, by reference where its payload is large and not masked.
    pub(super) fn push(&mut self, message: Message) {
        if self.tail.capacity() == 0 {
            self.tail = pool::lend();
        }
        match message {
            Message::Text(text) => self.push_data(OpCode::Text, text.into_bytes()),
            Message::Binary(bytes) => self.push_data(OpCode::Binary, bytes),
            Message::Ping(bytes) => self.push_small(OpCode::Ping, &bytes),
            Message::Pong(bytes) => self.push_small(OpCode::Pong, &bytes),
            Message::Close(frame) => {
                encoder::put_close(&mut self.tail, self.role.next_key(), frame.as_ref());
            }
            // Refused long before: `write` takes text and binary only.
            Message::Unknown(_) => debug_assert!(false, "unknown frames are never written"),
        }
    }

    /// Appends bytes that are frames already.
    pub(super) fn push_raw(&mut self, bytes: &[u8]) {
        self.tail.put_slice(bytes);
    }

    /// Writes until nothing is left.
    pub(super) fn poll_write<IO: AsyncWrite + Unpin>(
        &mut self,
        io: &mut IO,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.chunks.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let pieces = self
                .chunks
                .iter()
                .map(|chunk| &chunk[..])
                .chain([&self.tail[..]]);
            let mut used = 0;
            for (slice, piece) in slices.iter_mut().zip(pieces) {
                *slice = IoSlice::new(piece);
                used += 1;
            }
            let written = ready!(Pin::new(&mut *io).poll_write_vectored(cx, &slices[..used]))?;
            self.advance(nonzero(written)?);
        }
        let mut written = 0;
        while written < self.tail.len() {
            match Pin::new(&mut *io).poll_write(cx, &self.tail[written..])? {
                Poll::Ready(count) => written += nonzero(count)?,
                Poll::Pending => {
                    self.tail.advance(written);
                    return Poll::Pending;
                }
            }
        }
        self.tail.clear();
        Poll::Ready(Ok(()))
    }

    /// Gives buffers back that hold nothing.
    pub(super) fn rest(&mut self) {
        if self.chunks.is_empty() {
            self.chunks.shrink_to(0);
            if self.tail.is_empty() && self.tail.capacity() > 0 {
                pool::give_back(std::mem::take(&mut self.tail));
            }
        }
    }

    /// Gives the buffer back, whatever is in it.
    pub(super) fn discard(&mut self) {
        pool::give_back(std::mem::take(&mut self.tail));
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(chunk) = self.chunks.front_mut() {
            if written < chunk.len() {
                chunk.advance(written);
                self.chunk_bytes -= written;
                return;
            }
            written -= chunk.len();
            self.chunk_bytes -= chunk.len();
            self.chunks.pop_front();
        }
        self.tail.advance(written);
    }

    fn push_small(&mut self, opcode: OpCode, payload: &[u8]) {
        encoder::put_frame(&mut self.tail, opcode, self.role.next_key(), payload);
    }

    fn push_data(&mut self, opcode: OpCode, payload: Bytes) {
        if payload.len() <= COPY_BYTES {
            return self.push_small(opcode, &payload);
        }
        if let Some(key) = self.role.next_key() {
            // A copy of its own size, so that the lent buffer does not grow.
            let mut frame = BytesMut::with_capacity(encoder::MAX_HEAD_BYTES + payload.len());
            encoder::put_frame(&mut frame, opcode, Some(key), &payload);
            return self.push_chunk(frame.freeze());
        }
        encoder::put_head(&mut self.tail, opcode, payload.len());
        self.push_chunk(payload);
    }

    /// Appends bytes from where they are, behind what is copied together so far.
    fn push_chunk(&mut self, chunk: Bytes) {
        let before = self.tail.split().freeze();
        for chunk in [before, chunk] {
            if !chunk.is_empty() {
                self.chunk_bytes += chunk.len();
                self.chunks.push_back(chunk);
            }
        }
    }
}

fn nonzero(written: usize) -> io::Result<usize> {
    match written {
        0 => Err(io::ErrorKind::WriteZero.into()),
        written => Ok(written),
    }
}
