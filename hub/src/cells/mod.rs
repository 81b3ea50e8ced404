//! A room on this node: who sits in it and who listens, and what they are told.
//!
//! This floor stands on all below: `words/`, `bus/`, `state/`, `ground/`.

mod cell;
mod chair;
mod ear;
mod historic;

pub(crate) use self::{
    cell::Cell,
    chair::{Chair, Handed, Waiting, hand_over, share},
    ear::Ear,
    historic::Historic,
};
