//! A pipe between a session's transport and a framework's own socket type.
//!
//! Wharf moves the bytes of a connection itself. A handler that asks for the framework's socket
//! gets a real one that speaks over this pipe: what it writes goes out between Wharf's frames,
//! and whole messages are passed to it only while it is waiting for one, so `read` and the native
//! socket can take turns.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What one direction holds at most before its writer waits.
const PIPE_BYTES: usize = 64 * 1024;

#[derive(Debug, Default)]
struct Pipe {
    to_native: BytesMut,
    from_native: BytesMut,
    /// The native socket waits for a message.
    demand: bool,
    native_gone: bool,
    transport_gone: bool,
    native: Option<Waker>,
    transport: Option<Waker>,
}

fn lock(pipe: &Mutex<Pipe>) -> MutexGuard<'_, Pipe> {
    // The guarded sections only move bytes; a panic in one leaves nothing half done.
    pipe.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the two ends.
pub(super) fn pipe() -> (NativePipe, PipeEnd) {
    let pipe = Arc::new(Mutex::new(Pipe::default()));
    (NativePipe(Arc::clone(&pipe)), PipeEnd(pipe))
}

/// The native socket's end: raw WebSocket frames in both directions.
#[derive(Debug)]
pub struct NativePipe(Arc<Mutex<Pipe>>);

/// The transport's end.
#[derive(Debug)]
pub(super) struct PipeEnd(Arc<Mutex<Pipe>>);

impl PipeEnd {
    /// Leaves a waker for when the native socket writes, reads or asks again, and takes what it
    /// wrote if there is room for it.
    pub(super) fn take_written(&self, cx: &Context<'_>, has_room: bool, out: impl FnOnce(&[u8])) {
        let mut pipe = lock(&self.0);
        match &mut pipe.transport {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        if pipe.from_native.is_empty() || !has_room {
            return;
        }
        out(&pipe.from_native);
        pipe.from_native.clear();
        wake(&mut pipe.native);
    }

    /// Whether the native socket has to read before it is passed more.
    pub(super) fn is_full(&self) -> bool {
        let pipe = lock(&self.0);
        !pipe.native_gone && pipe.to_native.len() >= PIPE_BYTES
    }

    /// Whether the native socket waits for a message.
    pub(super) fn wants_message(&self) -> bool {
        lock(&self.0).demand
    }

    pub(super) fn is_gone(&self) -> bool {
        let pipe = lock(&self.0);
        pipe.native_gone && pipe.from_native.is_empty()
    }

    /// Passes raw bytes of a frame to the native socket.
    pub(super) fn pass(&self, bytes: &[u8]) {
        let mut pipe = lock(&self.0);
        pipe.demand = false;
        if pipe.native_gone {
            // The rest of a message whose reader left.
            return;
        }
        pipe.to_native.extend_from_slice(bytes);
        wake(&mut pipe.native);
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        let mut pipe = lock(&self.0);
        pipe.transport_gone = true;
        wake(&mut pipe.native);
    }
}

impl AsyncRead for NativePipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut pipe = lock(&self.0);
        if pipe.to_native.is_empty() {
            if pipe.transport_gone {
                return Poll::Ready(Ok(()));
            }
            pipe.demand = true;
            pipe.native = Some(cx.waker().clone());
            wake(&mut pipe.transport);
            return Poll::Pending;
        }
        let count = pipe.to_native.len().min(out.remaining());
        out.put_slice(&pipe.to_native[..count]);
        pipe.to_native.advance(count);
        wake(&mut pipe.transport);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for NativePipe {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = lock(&self.0);
        if pipe.transport_gone {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = PIPE_BYTES.saturating_sub(pipe.from_native.len());
        if room == 0 {
            pipe.native = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = room.min(bytes.len());
        pipe.from_native.extend_from_slice(&bytes[..count]);
        wake(&mut pipe.transport);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for NativePipe {
    fn drop(&mut self) {
        let mut pipe = lock(&self.0);
        pipe.native_gone = true;
        wake(&mut pipe.transport);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
