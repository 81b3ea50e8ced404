//! Upgraded connections as sessions.

use tokio::io::{AsyncRead, AsyncWrite};
use wharf_sdk::driver::{Connection, Session, Upgrade, WireTransport};

use crate::native;

/// The session over a connection, with actix's own socket within reach.
pub(crate) fn session<IO>(
    connection: Connection<IO>,
    upgrade: Upgrade,
) -> Session<WireTransport<IO>>
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    upgrade.connect(connection.with_native(native::make))
}
