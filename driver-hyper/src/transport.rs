//! Upgraded connections as transports.

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::{rt::TokioIo, server::conn::auto};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use wharf_sdk::driver::{Connection, Upgrade, serve::Occupation};

use crate::{
    bounded::Bounded,
    driver::Driver,
    stream::{Carried, Seated},
};

/// Runs a session over a connection that hyper has let go of, on a task of its own: the task that
/// waited for the connection is larger than its end needs, and ends.
///
/// Where it is a connection of its own, the session gets that, without hyper's boxes around it, and
/// can drop it with what is unsent, TLS or not.
pub(crate) fn run(upgraded: Upgraded, upgrade: Upgrade, driver: Driver) {
    let upgraded = match into_carried::<Seated>(upgraded) {
        Ok((io, early)) => {
            let connection = Connection::new(io.settle()).with_abort(Seated::abort);
            return start(connection.with_early(early), upgrade, driver);
        }
        Err(upgraded) => upgraded,
    };
    #[cfg(feature = "tls")]
    let upgraded = match into_carried::<crate::tls::TlsStream>(upgraded) {
        Ok((io, early)) => {
            let connection = Connection::new(io).with_abort(Carried::abort);
            return start(connection.with_early(early), upgrade, driver);
        }
        Err(upgraded) => upgraded,
    };
    #[cfg(feature = "http2")]
    let upgraded = match crate::http2::StreamIo::new(upgraded) {
        Ok(stream) => {
            let connection = Connection::new(stream).with_abort(crate::http2::StreamIo::abort);
            return start(connection, upgrade, driver);
        }
        Err(upgraded) => upgraded,
    };
    match into_tcp(upgraded) {
        Ok((stream, early)) => start(Connection::tcp(stream).with_early(early), upgrade, driver),
        Err(upgraded) => start(Connection::new(TokioIo::new(upgraded)), upgrade, driver),
    }
}

/// A connection of Wharf's own server, with what was read of it already.
fn into_carried<IO: Carried>(upgraded: Upgraded) -> Result<(IO, Bytes), Upgraded> {
    let parts = upgraded.downcast::<TokioIo<Bounded<IO>>>()?;
    let io = parts.io.into_inner().into_inner();
    io.seat().occupy(Occupation::Socket);
    Ok((io, parts.read_buf))
}

/// The TCP connection of somebody else's server, or of one like `axum::serve`, which wraps it.
fn into_tcp(upgraded: Upgraded) -> Result<(TcpStream, Bytes), Upgraded> {
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => Ok((parts.io.into_inner(), parts.read_buf)),
        Err(upgraded) => {
            let parts = auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded)?;
            Ok((parts.io.into_inner(), parts.read_buf))
        }
    }
}

fn start<IO>(connection: Connection<IO>, upgrade: Upgrade, driver: Driver)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = match driver.native {
        Some(factory) => connection.with_native(factory),
        None => connection,
    };
    tokio::spawn(upgrade.connect(connection));
}
