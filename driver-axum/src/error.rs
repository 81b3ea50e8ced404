//! What can go wrong in this driver, as Wharf errors.

use wharf_sdk::{Error, ErrorKind};

pub(crate) fn native(cause: impl Into<wharf_sdk::BoxError>) -> Error {
    Error::new(
        ErrorKind::Internal,
        "WHARF_NATIVE_FAILED",
        "axum's own socket could not be made; the cause is private",
    )
    .with_source(cause)
}
