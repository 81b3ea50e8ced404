//! What a peer did against the protocol, as errors.

use crate::message::{Error, ErrorKind};

#[cold]
pub(super) fn protocol(code: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::Protocol, code, message)
}

#[cold]
pub(super) fn invalid_utf8() -> Error {
    Error::new(
        ErrorKind::InvalidData,
        "WHARF_INVALID_UTF8",
        "text must be valid UTF-8; send other data as binary",
    )
}
