//! What is spoken of: names, ids, members, events, errors.
//!
//! This floor stands on nothing of this crate.

pub(crate) mod error;
mod event;
mod history;
mod id;
mod lock;
mod member;
mod name;
mod topic;
mod welcome;

pub use self::{
    event::{Delivery, Event, Gap},
    history::History,
    id::{NodeId, Position, SessionId},
    member::{MAX_METADATA_BYTES, Member},
    name::{MAX_NAME_BYTES, RoomName},
    topic::Topic,
    welcome::Welcome,
};
pub(crate) use self::{lock::lock, member::check_metadata};
