//! What the bell is made of. `sdk/loom` has the same from loom.

pub(super) use std::sync::atomic::{AtomicBool, Ordering, fence};

pub(super) use futures::task::AtomicWaker;
