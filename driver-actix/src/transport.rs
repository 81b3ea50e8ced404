//! Upgraded connections as transports.

use bytes::Bytes;
use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite};
use wharf_sdk::{Capabilities, Session, Upgrade, wire::WireTransport};

use crate::{DRIVER, native};

/// Runs a session on this thread. `abort` drops the connection where `io` owns it.
pub(crate) fn spawn<IO>(io: IO, early: &Bytes, upgrade: Upgrade, abort: Option<fn(&IO)>)
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let subprotocol = upgrade.subprotocol().map(str::to_owned);
    let capabilities = Capabilities::wire(DRIVER).with_abort(abort.is_some());
    let mut transport = WireTransport::new(io, early, upgrade.limits().wire(), capabilities)
        .with_native(native::make, subprotocol);
    if let Some(abort) = abort {
        transport = transport.with_abort(abort);
    }
    let session: Session<WireTransport<IO>> = upgrade.start(transport);
    actix_rt::spawn(session.map(drop));
}
