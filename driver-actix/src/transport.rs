//! Upgraded connections as sessions.

use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite};
use wharf_sdk::driver::{Connection, Upgrade};

use crate::native;

/// Runs a session on this thread.
pub(crate) fn spawn<IO>(connection: Connection<IO>, upgrade: Upgrade)
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let session = upgrade.connect(connection.with_native(native::make));
    actix_rt::spawn(session.map(drop));
}
