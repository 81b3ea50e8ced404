//! Connections behind a TLS handshake.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wharf_sdk::driver::{
    is_plain_http,
    serve::Seat,
    tls_required,
    tokio_rustls::{TlsAcceptor, server},
};

use crate::stream::{Carried, Seated};

/// A connection behind its handshake.
pub(crate) type TlsStream = server::TlsStream<Seated>;

impl Carried for TlsStream {
    fn abort(&self) {
        self.get_ref().0.abort();
    }

    fn seat(&self) -> &Seat {
        self.get_ref().0.seat()
    }
}

/// Lives through the handshake. `None` if the client spoke plain HTTP, and was told.
pub(crate) async fn accept(
    acceptor: &TlsAcceptor,
    mut connection: Seated,
) -> io::Result<Option<TlsStream>> {
    let mut first = [0];
    let count = connection.stream.peek(&mut first).await?;
    if is_plain_http(&first[..count]) {
        // Closing over unread bytes resets the connection, and the client may lose the answer.
        let mut request = [0; 4096];
        let _ = connection.read(&mut request).await?;
        connection.write_all(&tls_required()).await?;
        connection.shutdown().await?;
        return Ok(None);
    }
    acceptor.accept(connection).await.map(Some)
}

/// Whether the handshake settled on this protocol.
#[cfg(feature = "http2")]
pub(crate) fn chose(connection: &TlsStream, protocol: &[u8]) -> bool {
    connection.get_ref().1.alpn_protocol() == Some(protocol)
}
