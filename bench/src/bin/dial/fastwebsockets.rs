//! fastwebsockets, with hyper's handshake, as its client example.

use std::future::Future;
use std::io;

use bytes::Bytes;
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, handshake};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http_body_util::Empty;
use hyper::Request;
use tokio::net::TcpStream;

use super::load::{Link, MESSAGE};

pub(crate) fn open(link: Link) -> BoxFuture<'static, io::Result<()>> {
    run(link).boxed()
}

struct Spawn;

impl<F: Future<Output: Send> + Send + 'static> hyper::rt::Executor<F> for Spawn {
    fn execute(&self, future: F) {
        tokio::spawn(future);
    }
}

async fn run(link: Link) -> io::Result<()> {
    let addr = link.url.strip_prefix("ws://").unwrap_or_default();
    let addr = addr.split('/').next().unwrap_or_default();
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let request = Request::builder()
        .uri(&*link.url)
        .header("Host", addr)
        .header("Upgrade", "websocket")
        .header("Connection", "upgrade")
        .header("Sec-WebSocket-Key", handshake::generate_key())
        .header("Sec-WebSocket-Version", "13")
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let opening = handshake::client(&Spawn, request, stream);
    let (socket, _) = opening.await.map_err(io::Error::other)?;
    let mut socket = FragmentCollector::new(socket);
    link.opened.add_permits(1);
    loop {
        for _ in 0..link.in_flight {
            // Masked in place, so each needs a copy of its own.
            let payload = Payload::Owned(MESSAGE.as_bytes().to_vec());
            let frame = Frame::text(payload);
            socket.write_frame(frame).await.map_err(io::Error::other)?;
        }
        for _ in 0..link.in_flight.max(1) {
            let frame = socket.read_frame().await.map_err(io::Error::other)?;
            if frame.opcode == OpCode::Close {
                return Err(io::Error::other("the server closed a link"));
            }
        }
        link.count();
    }
}
