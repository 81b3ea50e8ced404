//! What can go wrong, with what to do about it.

use wharf_sdk::{Error, ErrorKind};

use crate::words::id::SessionId;

pub(crate) fn config(message: &'static str) -> Error {
    Error::new(ErrorKind::Config, "WHARF_CONFIG", message)
}

pub(crate) fn local_only(delivered: usize, cause: Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "WHARF_HUB_LOCAL_ONLY",
        "the bus is away: the message was delivered on this node only; publish it again if the \
         others must have it",
    )
    .with_context("delivered here", delivered)
    .with_source(cause)
}

pub(crate) fn not_published(cause: Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "WHARF_HUB_NOT_PUBLISHED",
        "the bus did not store the message in time: nobody may have heard it; publish it again \
         if hearing it twice does no harm",
    )
    .with_source(cause)
}

pub(crate) fn deadline() -> Error {
    Error::new(
        ErrorKind::Timeout,
        "WHARF_BUS_DEADLINE",
        "the bus did not answer in time; see whether it is overloaded, or raise the hub's \
         bus_deadline",
    )
}

pub(crate) fn too_many_rooms(limit: usize) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "WHARF_HUB_ROOMS",
        format!(
            "a session may sit in at most {limit} rooms; leave one, or raise rooms_per_session"
        ),
    )
}

pub(crate) fn lacks(bus: &str, what: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "WHARF_HUB_CAPABILITY",
        format!(
            "the bus {bus} has no {what} as it is set up; switch it on there, choose another bus, \
             or open rooms without {what}"
        ),
    )
}

pub(crate) fn no_presence() -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "WHARF_HUB_NO_PRESENCE",
        "nobody is told who is in this room; open it with presence",
    )
}

pub(crate) fn not_data() -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "WHARF_CONTROL_WRITE",
        "only text and binary can be published",
    )
}

pub(crate) fn too_large(bytes: usize, limit: usize) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "WHARF_HUB_TOO_LARGE",
        format!("a message of {bytes} bytes is over the {limit} that the bus carries; send less"),
    )
}

pub(crate) fn not_seated(session: SessionId) -> Error {
    Error::new(
        ErrorKind::Closed,
        "WHARF_HUB_LEFT",
        "the seat was given up: the session has ended or left the room",
    )
    .with_context("session", session)
}

pub(crate) fn ended() -> Error {
    Error::new(
        ErrorKind::Closed,
        "WHARF_CLOSED",
        "the session has ended; it can join no room",
    )
}
