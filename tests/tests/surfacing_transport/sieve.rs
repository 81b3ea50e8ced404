//! Keeps frames without a name back from what decodes the others.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wharf_conformance::client::Frame;
use wharf_sdk::UnknownFrame;

/// A frame that was kept back, until somebody takes it.
#[derive(Debug, Default)]
pub(super) struct Found {
    frame: Mutex<Option<UnknownFrame>>,
    is_over: AtomicBool,
}

impl Found {
    pub(super) fn take(&self) -> Option<UnknownFrame> {
        self.lock().take()
    }

    /// Nobody will take another one.
    pub(super) fn stop_looking(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.take();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<UnknownFrame>> {
        self.frame.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes in which no frame is without a name; pending in front of one until it was taken.
#[derive(Debug)]
pub(super) struct Sieve<IO> {
    io: IO,
    inbound: BytesMut,
    /// How much of what comes belongs to a frame that passes.
    passing_bytes: u64,
    max_frame_bytes: usize,
    found: Arc<Found>,
}

impl<IO> Sieve<IO> {
    /// Larger frames pass, to be refused by whoever decodes.
    pub(super) fn new(io: IO, max_frame_bytes: usize) -> (Self, Arc<Found>) {
        let found = Arc::new(Found::default());
        let sieve = Self {
            io,
            inbound: BytesMut::new(),
            passing_bytes: 0,
            max_frame_bytes,
            found: Arc::clone(&found),
        };
        (sieve, found)
    }

    /// Looks at a frame's head. `None` if there is not enough of it.
    fn sort(&mut self) -> Option<()> {
        let (&first, &second) = (self.inbound.first()?, self.inbound.get(1)?);
        let (head_bytes, payload_bytes) = match second & 0x7F {
            126 => (4, self.inbound.get(2..4)?.get_u16().into()),
            127 => (10, self.inbound.get(2..10)?.get_u64()),
            short => (2, u64::from(short)),
        };
        let is_masked = second & 0x80 != 0;
        let is_unnamed = matches!(first & 0x0F, 3..=7 | 11..=15) && first & 0x70 == 0;
        let fits = payload_bytes <= self.max_frame_bytes as u64;
        if !(is_unnamed && is_masked && fits) || self.found.is_over.load(Ordering::Relaxed) {
            let mask_bytes = if is_masked { 4 } else { 0 };
            self.passing_bytes = payload_bytes.saturating_add(head_bytes + mask_bytes);
            return Some(());
        }
        let frame = Frame::parse(&mut self.inbound)?;
        let key = frame.mask.unwrap_or_default();
        let payload: Vec<u8> = frame
            .payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key)
            .collect();
        let label = format!("opcode {}", frame.opcode);
        *self.found.lock() = Some(UnknownFrame::new(label, payload));
        Some(())
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Sieve<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.found.lock().is_some() {
                // Whoever takes it asks again.
                return Poll::Pending;
            }
            if this.passing_bytes > 0 && !this.inbound.is_empty() {
                let most = usize::try_from(this.passing_bytes).unwrap_or(usize::MAX);
                let count = this.inbound.len().min(most).min(out.remaining());
                out.put_slice(&this.inbound[..count]);
                this.inbound.advance(count);
                this.passing_bytes -= count as u64;
                return Poll::Ready(Ok(()));
            }
            if this.passing_bytes == 0 && this.sort().is_some() {
                continue;
            }
            let mut more = [0; 4096];
            let mut more = ReadBuf::new(&mut more);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut more))?;
            if more.filled().is_empty() {
                // What is left is no frame.
                out.put_slice(&this.inbound.split());
                return Poll::Ready(Ok(()));
            }
            this.inbound.extend_from_slice(more.filled());
        }
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Sieve<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
