//! What can go wrong. None of it has the URL in it, which has the password.

use std::{io, sync::Arc};

use redis::{ErrorKind as RedisKind, RedisError};
use wharf_sdk::{Error, ErrorKind};

pub(crate) fn url(cause: RedisError) -> Error {
    // The cause may quote the URL.
    drop(cause);
    Error::new(
        ErrorKind::Config,
        "WHARF_BUS_URL",
        "the URL of the Redis server is not one; write redis://user:password@host:6379/ or \
         rediss:// for TLS",
    )
}

pub(crate) fn certificates(cause: io::Error) -> Error {
    tls("the file of certificates cannot be read").with_source(cause)
}

fn tls(what: &'static str) -> Error {
    Error::new(ErrorKind::Config, "WHARF_BUS_TLS", what)
}

pub(crate) fn too_old(version: &str, needed: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "WHARF_BUS_TOO_OLD",
        format!("the Redis server's version is {version}; use {needed} or above"),
    )
}

pub(crate) fn away() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "WHARF_BUS_AWAY",
        "the Redis server is away; the bus comes back by itself when it does",
    )
}

pub(crate) fn busy() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "WHARF_BUS_BUSY",
        "more waits for the Redis server than may; publish less, or see why it is slow",
    )
}

pub(crate) fn unexpected() -> Error {
    Error::new(
        ErrorKind::InvalidData,
        "WHARF_BUS_ANSWER",
        "the Redis server answered something unexpected; see whether others write to the app's keys",
    )
}

/// What the server or the connection said.
pub(crate) fn failed(cause: RedisError) -> Error {
    let is_auth = cause.kind() == RedisKind::AuthenticationFailed
        || matches!(cause.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"));
    let error = if is_auth {
        Error::new(
            ErrorKind::Config,
            "WHARF_BUS_AUTH",
            "the Redis server does not take these credentials, or they may not do what the bus \
             does; check user, password and ACL",
        )
    } else if cause.kind() == RedisKind::RESP3NotSupported {
        too_old("below 6", "6.2")
    } else if is_untrusted(&cause) {
        tls(
            "the Redis server's certificate is not trusted, or it does not speak TLS; check the \
             URL's host, and name the issuer's certificate with ca_file",
        )
    } else if is_broken(&cause) {
        away()
    } else {
        Error::new(
            ErrorKind::Unavailable,
            "WHARF_BUS_REFUSED",
            "the Redis server refused a command; the private cause says why",
        )
    };
    error.with_source(cause)
}

/// Whether TLS failed. What is wrong with a certificate is told as data that makes no sense.
fn is_untrusted(cause: &RedisError) -> bool {
    let source = std::error::Error::source(cause)
        .and_then(|source| source.downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>())
        .and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|source| source.kind() == io::ErrorKind::InvalidData)
}

/// Whether the connection is of no more use.
pub(crate) fn is_broken(cause: &RedisError) -> bool {
    cause.is_io_error()
        || cause.is_timeout()
        || cause.is_connection_dropped()
        || cause.is_unrecoverable_error()
        || cause.kind() == RedisKind::ClusterConnectionNotFound
}
