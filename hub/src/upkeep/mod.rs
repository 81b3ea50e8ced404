//! What goes on without being asked: hearing the bus, opening rooms, what is done by the clock, and
//! what follows an outage.
//!
//! This floor stands on `keep/` and all below.

mod inbound;
pub(crate) mod keeper;
mod open;
pub(crate) mod recover;

pub(crate) use self::{inbound::Inbound, open::open};
