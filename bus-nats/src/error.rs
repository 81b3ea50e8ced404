//! What can go wrong. None of it has the URL in it, which may have the password.

use std::io;

use async_nats::{ConnectError, ConnectErrorKind};
use wharf_sdk::{BoxError, Error, ErrorKind};

pub(crate) fn connect(cause: &ConnectError) -> Error {
    // The cause may quote the URL.
    match cause.kind() {
        ConnectErrorKind::ServerParse => url(),
        _ if is_untrusted(cause) => Error::new(
            ErrorKind::Config,
            "WHARF_BUS_TLS",
            "the NATS server's certificate is not trusted, or it does not speak TLS; check the \
             URL's host, and name the issuer's certificate with ca_file",
        ),
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => Error::new(
            ErrorKind::Config,
            "WHARF_BUS_AUTH",
            "the NATS server does not take these credentials; check user, password and \
             credentials file",
        ),
        _ => away(),
    }
}

/// Whether TLS failed. What is wrong with a certificate is told as data that makes no sense.
fn is_untrusted(cause: &ConnectError) -> bool {
    let source =
        std::error::Error::source(cause).and_then(|source| source.downcast_ref::<io::Error>());
    cause.kind() == ConnectErrorKind::Tls
        || source.is_some_and(|source| source.kind() == io::ErrorKind::InvalidData)
}

pub(crate) fn url() -> Error {
    Error::new(
        ErrorKind::Config,
        "WHARF_BUS_URL",
        "the URL of the NATS server is not one; write nats://user:password@host:4222, \
         nats://token@host:4222, or tls:// for TLS",
    )
}

pub(crate) fn credentials(cause: io::Error) -> Error {
    Error::new(
        ErrorKind::Config,
        "WHARF_BUS_AUTH",
        "the credentials file cannot be read",
    )
    .with_source(cause)
}

pub(crate) fn too_old(version: &str, needed: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "WHARF_BUS_TOO_OLD",
        format!("the NATS server's version is {version}; use {needed} or above"),
    )
}

pub(crate) fn away() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "WHARF_BUS_AWAY",
        "the NATS server is away; the bus comes back by itself when it does",
    )
}

pub(crate) fn busy() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "WHARF_BUS_BUSY",
        "more waits for the NATS server than may; publish less, or see why it is slow",
    )
}

/// What JetStream or the connection said.
pub(crate) fn failed(cause: impl Into<BoxError>) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "WHARF_BUS_REFUSED",
        "the NATS server did not do what it was asked for; the private cause says why",
    )
    .with_source(cause)
}
