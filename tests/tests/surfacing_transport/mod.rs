//! A transport over a pretended library that hands on frames that it has no name for.

mod sieve;

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::DuplexStream;
use wharf_sdk::{
    Bytes, Message, Result,
    driver::{Capabilities, NativeSocket, Transport, Unfinished, Upgrade, WireTransport},
};

use self::sieve::{Found, Sieve};

pub(crate) const CAPABILITIES: Capabilities = Capabilities::wire("surfacing")
    .with_unknown_frames(true)
    .with_compression(false);

/// Frames by the core's transport, but for those without a name.
#[derive(Debug)]
pub(crate) struct Surfacing {
    named: WireTransport<Sieve<DuplexStream>>,
    unnamed: Arc<Found>,
}

impl Surfacing {
    pub(crate) fn new(io: DuplexStream, upgrade: &Upgrade) -> Self {
        let limits = upgrade.limits();
        let (sieve, unnamed) = Sieve::new(io, limits.max_message_bytes);
        let named = WireTransport::new(sieve, &Bytes::new(), limits.into());
        Self { named, unnamed }
    }
}

impl Transport for Surfacing {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message>>> {
        match self.named.poll_recv(cx) {
            // What came before it has been yielded: the sieve stops in front of it.
            Poll::Pending => match self.unnamed.take() {
                Some(frame) => Poll::Ready(Some(Ok(Message::Unknown(Box::new(frame))))),
                None => Poll::Pending,
            },
            ready => ready,
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.named.poll_ready(cx)
    }

    fn start_send(&mut self, message: Message) -> Result<()> {
        self.named.start_send(message)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.named.poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.unnamed.stop_looking();
        self.named.poll_close(cx)
    }

    fn rest(&mut self) {
        self.named.rest();
    }

    fn unsent_bytes(&self) -> usize {
        self.named.unsent_bytes()
    }

    fn unfinished(&self) -> Unfinished {
        self.named.unfinished()
    }

    fn abort(&mut self) {
        self.named.abort();
    }

    fn poll_native(&mut self, cx: &mut Context<'_>) -> Poll<Result<Box<dyn NativeSocket>>> {
        self.named.poll_native(cx)
    }
}
