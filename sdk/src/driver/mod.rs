//! All that a driver touches, and nothing that a handler's author does.
//!
//! A driver turns its framework's request into an [`UpgradeRequest`], asks [`App::decide`](crate::App::decide),
//! and either sends the response or sends the 101 and runs the session over the connection's bytes.
//!
//! This floor stands on `app/`.

mod connection;
mod dialled;
pub mod serve;
#[cfg(feature = "tls")]
mod tls;

#[cfg(feature = "tls")]
pub use self::tls::{Tls, is_plain_http, tls_required};
pub use self::{
    connection::{Connection, HANDOVER_TIMEOUT},
    dialled::{DialObservers, Dialled, Dialling},
};
pub use crate::{
    app::{Decision, Place, Upgrade, accept_key},
    handler::Prepared,
    policy::{DeflateParams, DeflateSide},
    request::UpgradeRequest,
    session::Session,
    wire::{
        Capabilities, Decoder, EventStreamBody, MaskKeys, NativeFactory, NativePipe, NativeSocket,
        OpCode, Role, Traffic, Transport, Unfinished, WireLimits, WireTransport,
        encode_client_frame,
    },
};
/// The rustls that [`Tls`] is made of.
#[cfg(feature = "tls")]
pub use tokio_rustls::{self, rustls};
