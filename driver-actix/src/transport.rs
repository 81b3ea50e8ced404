//! Upgraded connections as transports.

use bytes::Bytes;
use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite};
use wharf_sdk::{Capabilities, Session, Upgrade, wire::WireTransport};

use crate::{DRIVER, native};

/// Runs a session on this thread. `can_abort` says whether dropping `io` drops the connection.
pub(crate) fn spawn<IO>(io: IO, early: &Bytes, upgrade: Upgrade, can_abort: bool)
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let subprotocol = upgrade.subprotocol().map(str::to_owned);
    let capabilities = Capabilities::wire(DRIVER).with_abort(can_abort);
    let transport = WireTransport::new(io, early, upgrade.limits().wire(), capabilities)
        .with_native(native::make, subprotocol);
    let session: Session<WireTransport<IO>> = upgrade.start(transport);
    actix_rt::spawn(session.map(drop));
}
