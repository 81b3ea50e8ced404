//! This node on its bus, before there is any room: what it was told to do, what it counts, who is
//! told, and what is to be done later.
//!
//! This floor stands on `words/`, `bus/` and `state/`.

mod figures;
mod node;
mod observe;
mod options;
mod settings;

pub use self::{figures::Stats, observe::HubObserver, options::RoomOptions};
pub(crate) use self::{
    figures::{RoomFigures, add},
    node::Node,
    settings::Settings,
};
