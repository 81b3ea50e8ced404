//! The hub alone.

use async_trait::async_trait;
use wharf_hub::{Hub, HubBuilder, RoomName};

use super::{BusHost, Engine, Way};

/// `Hub::local()`: the cases that need another node, or an engine that fails, have nothing to show.
#[derive(Debug, Clone, Copy, Default)]
pub struct Local;

#[async_trait]
impl BusHost for Local {
    async fn start(&self) -> Box<dyn Engine> {
        Box::new(Nothing)
    }
}

struct Nothing;

#[async_trait]
impl Engine for Nothing {
    async fn node(&self) -> HubBuilder {
        Hub::builder()
    }

    async fn apart(&self) -> Option<(HubBuilder, Way)> {
        None
    }

    async fn kill(&mut self) {}

    async fn restart(&mut self) {}

    async fn freeze(&self) {}

    async fn thaw(&self) {}

    async fn inject(&self, _: &RoomName, _: &[u8]) {}

    fn keeps_history(&self) -> bool {
        true
    }
}
