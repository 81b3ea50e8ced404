//! What is asked of the server, in its order.

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
