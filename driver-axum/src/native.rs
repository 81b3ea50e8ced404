//! A real `axum::extract::ws::WebSocket` over a pipe of frames.
//!
//! axum makes its socket from hyper's `OnUpgrade` only, and hyper makes that from one of its own
//! connections only. So a connection is run over the pipe: it reads a canned upgrade request, and
//! the response it writes is swallowed. What follows in both directions are frames.

use std::{
    cell::Cell,
    convert::Infallible,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    extract::{
        FromRequestParts,
        ws::{WebSocket, WebSocketUpgrade},
    },
    response::IntoResponse,
};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
    time::timeout,
};
use wharf_sdk::{Result, driver::NativePipe};

use crate::error;

/// The key is the RFC's example; nobody checks the answer.
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: wharf\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Everything happens in memory; only a bug takes longer.
const DEADLINE: Duration = Duration::from_secs(5);

/// tungstenite's default of 128 KiB is for its own reads from the network.
const BUFFER_BYTES: usize = 4 * 1024;

pub(crate) async fn make(pipe: NativePipe, subprotocol: Option<String>) -> Result<WebSocket> {
    let mut request = REQUEST.to_owned();
    if let Some(subprotocol) = &subprotocol {
        request.push_str(&format!("Sec-WebSocket-Protocol: {subprotocol}\r\n"));
    }
    request.push_str("\r\n");

    let (made, making) = oneshot::channel();
    let slot = Cell::new(Some((made, subprotocol)));
    let service = service_fn(move |request: Request<Incoming>| {
        let slot = slot.take();
        async move {
            let (mut parts, _) = request.into_parts();
            let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
            let response = match (upgrade, slot) {
                (Ok(upgrade), Some((made, subprotocol))) => upgrade
                    .read_buffer_size(BUFFER_BYTES)
                    .write_buffer_size(0)
                    .protocols(subprotocol)
                    .on_upgrade(async move |socket| drop(made.send(socket))),
                (Err(rejection), _) => rejection.into_response(),
                (Ok(_), None) => http::StatusCode::CONFLICT.into_response(),
            };
            Ok::<_, Infallible>(response)
        }
    });
    let io = TokioIo::new(Preamble {
        request: request.into_bytes(),
        request_read: 0,
        swallowed: Swallowed::default(),
        pipe,
    });
    let connection = http1::Builder::new()
        .serve_connection(io, service)
        .with_upgrades();
    timeout(DEADLINE, async {
        connection.await.map_err(error::native)?;
        making.await.map_err(error::native)
    })
    .await
    .map_err(error::native)?
}

/// The pipe, with a request in front of what is read and a response cut off what is written.
struct Preamble {
    request: Vec<u8>,
    request_read: usize,
    swallowed: Swallowed,
    pipe: NativePipe,
}

/// How far the blank line that ends the response has been seen.
#[derive(Default)]
struct Swallowed {
    matched: usize,
}

impl Swallowed {
    const END: &'static [u8] = b"\r\n\r\n";

    fn is_complete(&self) -> bool {
        self.matched == Self::END.len()
    }

    /// Swallows a prefix of `bytes`; returns its length.
    fn take(&mut self, bytes: &[u8]) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            if self.is_complete() {
                return at;
            }
            self.matched = match *byte {
                byte if byte == Self::END[self.matched] => self.matched + 1,
                b'\r' => 1,
                _ => 0,
            };
        }
        bytes.len()
    }
}

impl AsyncRead for Preamble {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let rest = &this.request[this.request_read..];
        if rest.is_empty() {
            if !this.swallowed.is_complete() {
                // Frames are for the socket, not for hyper's parser; it is writing now.
                return Poll::Pending;
            }
            return Pin::new(&mut this.pipe).poll_read(cx, out);
        }
        let count = rest.len().min(out.remaining());
        out.put_slice(&rest[..count]);
        this.request_read += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Preamble {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.swallowed.is_complete() {
            return Poll::Ready(Ok(this.swallowed.take(bytes)));
        }
        Pin::new(&mut this.pipe).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().pipe).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().pipe).poll_shutdown(cx)
    }
}
