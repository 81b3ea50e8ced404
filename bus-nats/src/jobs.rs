//! What is asked of the server, in its order.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use tokio::sync::oneshot;
use wharf_hub::{History, Position, RoomName, bus::Topic};
use wharf_sdk::Result;

pub(crate) enum Job {
    Publish(String, Bytes, Answer<()>),
    Append(RoomName, History, Bytes, Answer<Position>),
    Subscribe(Vec<Topic>, Answer<()>),
    Unsubscribe(Vec<Topic>, Answer<()>),
}

pub(crate) type Answer<T> = oneshot::Sender<Result<T>>;

/// How many jobs wait or are just begun: whoever finds none need not wait in line.
#[derive(Default)]
pub(crate) struct Line(Arc<AtomicUsize>);

impl Line {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }

    pub(crate) fn enter(&self) -> Turn {
        self.0.fetch_add(1, Ordering::AcqRel);
        Turn(Arc::clone(&self.0))
    }
}

/// A job's place in the line, until it has been begun or dropped.
pub(crate) struct Turn(Arc<AtomicUsize>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
