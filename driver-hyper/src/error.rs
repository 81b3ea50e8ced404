//! What can go wrong in this driver, as Wharf errors.

use wharf_sdk::{Error, ErrorKind};

pub(crate) fn no_address() -> Error {
    Error::new(
        ErrorKind::Config,
        "WHARF_NO_ADDRESS",
        "the server has no address; give it one with `tcp`, `unix` or a listener",
    )
}
