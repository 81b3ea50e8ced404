//! State machines without IO: what a frame says, what was heard, one order, who is there, who has
//! left. Their properties are beside them.
//!
//! This floor stands on `words/` and `bus/`.

mod farewell;
mod frame;
mod heard;
mod log;
mod roster;

pub(crate) use self::{
    farewell::Farewells,
    frame::{Frame, OVERHEAD_BYTES, What},
    heard::{Heard, Hearing},
    log::{Log, Step},
    roster::{Change, Roster, Turn},
};
