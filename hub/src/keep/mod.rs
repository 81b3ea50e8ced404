//! All rooms and sessions of a node, and who keeps whom alive.
//!
//! This floor stands on `cells/` and all below.

mod membership;
mod rooms;
mod sessions;
mod sharded;
mod shared;

pub(crate) use self::shared::{Attendance, Membership, Shared, Stay};
