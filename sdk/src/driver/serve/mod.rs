//! What every driver's server shares: how many connections it has, what it tells the others, and
//! when to stop.

mod kernel;
mod refusals;
mod seats;
mod stop;

pub use self::{
    kernel::{give_up_later, prepare},
    refusals::{Refusals, http1_answer},
    seats::{Occupation, Seat, Seats, SocketSeat, default_max_connections, spare_descriptors},
    stop::{SHUTDOWN_DEADLINE, StopSignals, until_shut_down},
};
use crate::message::{Error, ErrorKind};

/// The error of a server whose address cannot be bound.
pub fn bind_error(address: &str, cause: std::io::Error) -> Error {
    Error::new(
        ErrorKind::Io,
        "WHARF_BIND",
        format!("{address} cannot be bound; choose a free port of this machine"),
    )
    .with_source(cause)
}
