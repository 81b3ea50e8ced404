//! The engine in memory, which applications test with.

use async_trait::async_trait;
use wharf_hub::{Hub, HubBuilder, RoomName, bus::Topic, testing};

use super::{BusHost, Engine, Way};

/// `wharf_hub::testing::Engine`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory;

#[async_trait]
impl BusHost for Memory {
    async fn start(&self) -> Box<dyn Engine> {
        Box::new(Running(testing::Engine::new()))
    }
}

struct Running(testing::Engine);

#[async_trait]
impl Engine for Running {
    async fn node(&self) -> HubBuilder {
        Hub::builder().bus(self.0.bus())
    }

    async fn apart(&self) -> Option<(HubBuilder, Way)> {
        Some((self.node().await, Way::Memory(self.0.clone())))
    }

    async fn kill(&mut self) {
        self.0.cut_off_all();
        self.0.forget();
    }

    async fn restart(&mut self) {
        self.0.reconnect_all();
    }

    async fn freeze(&self) {
        self.0.cut_off_all();
    }

    async fn thaw(&self) {
        self.0.reconnect_all();
    }

    async fn inject(&self, room: &RoomName, bytes: &[u8]) {
        self.0.inject(&Topic::Room(room.clone()), bytes.to_vec());
    }

    fn keeps_history(&self) -> bool {
        false
    }
}
