//! Upgraded connections as sessions.

use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite};
use wharf_sdk::driver::{Connection, Upgrade};

use crate::native;

/// Runs a session on this thread; `held` is dropped behind it.
pub(crate) fn spawn<IO>(connection: Connection<IO>, upgrade: Upgrade, held: impl Sized + 'static)
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let session = upgrade.connect(connection.with_native(native::make));
    actix_rt::spawn(session.map(|_| drop(held)));
}
