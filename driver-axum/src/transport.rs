//! Upgraded connections as transports, and axum's own socket over them.

use std::{
    any::{Any, TypeId},
    fmt,
};

use axum::extract::ws::WebSocket;
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use hyper::upgrade::Upgraded;
use hyper_util::{rt::TokioIo, server::conn::auto};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use wharf_sdk::{
    Result,
    driver::{Connection, NativePipe, NativeSocket, Upgrade},
};

use crate::native;

/// Runs a session over a connection that hyper has let go of.
///
/// Where it is plain TCP, the session gets the socket itself, without hyper's boxes around it.
pub(crate) fn run(upgraded: Upgraded, upgrade: Upgrade) -> BoxFuture<'static, ()> {
    match into_tcp(upgraded) {
        Ok((stream, early)) => start(Connection::tcp(stream).with_early(early), upgrade),
        Err(upgraded) => start(Connection::new(TokioIo::new(upgraded)), upgrade),
    }
}

/// The TCP connection below, with what was read of it already: on Wharf's own server, or on
/// `axum::serve`, which wraps it.
fn into_tcp(upgraded: Upgraded) -> std::result::Result<(TcpStream, Bytes), Upgraded> {
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => Ok((parts.io.into_inner(), parts.read_buf)),
        Err(upgraded) => {
            let parts = auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded)?;
            Ok((parts.io.into_inner(), parts.read_buf))
        }
    }
}

/// Boxed, so that hyper's leftovers are freed before the session begins.
fn start<IO>(connection: Connection<IO>, upgrade: Upgrade) -> BoxFuture<'static, ()>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    upgrade
        .connect(connection.with_native(make_native))
        .map(drop)
        .boxed()
}

fn make_native(
    pipe: NativePipe,
    subprotocol: Option<String>,
) -> BoxFuture<'static, Result<Box<dyn NativeSocket>>> {
    Box::pin(async move {
        let socket = native::make(pipe, subprotocol).await?;
        Ok(Box::new(NativeWebSocket(socket)) as Box<dyn NativeSocket>)
    })
}

/// axum's own [`WebSocket`], as `Socket::native` yields it.
pub struct NativeWebSocket(pub WebSocket);

impl NativeSocket for NativeWebSocket {
    fn type_name(&self) -> &'static str {
        std::any::type_name::<WebSocket>()
    }

    fn part(&mut self, id: TypeId) -> Option<&mut dyn Any> {
        (id == TypeId::of::<WebSocket>()).then_some(&mut self.0 as &mut dyn Any)
    }

    /// axum's socket writes through when it sends.
    fn sync(&mut self) {}
}

impl fmt::Debug for NativeWebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NativeWebSocket")
    }
}
