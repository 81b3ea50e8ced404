//! Without the feature `hub` there are no rooms to show.

use serde::Deserialize;
use serde_json::Value;
use wharf_sdk::Result;

pub(crate) type Rooms = ();

#[derive(Debug, Deserialize)]
pub(crate) struct RoomsView {}

#[derive(Default)]
pub(crate) struct RoomsWatch;

impl RoomsWatch {
    pub(crate) fn set_view(&mut self, _: RoomsView) {}

    pub(crate) fn open(&mut self, _: Option<String>) {}

    pub(crate) fn show(&mut self, (): &Rooms) -> Value {
        Value::Null
    }
}

#[allow(clippy::unused_async, reason = "with a hub it waits")]
pub(crate) async fn publish((): &Rooms, _: &str, _: String) -> Result<usize> {
    Ok(0)
}
