//! An engine that is one server.

use std::{marker::PhantomData, net::SocketAddr};

use async_trait::async_trait;
use wharf_hub::{HubBuilder, RoomName};

use super::{Engine, Proxy, Server, Way};

/// What sets one kind of server apart from another.
#[async_trait]
pub(super) trait Kind: Send + Sync + 'static {
    /// Whether histories outlive a server of this kind.
    const KEEPS_HISTORY: bool;

    /// A hub over the server at this address.
    async fn hub(address: SocketAddr) -> HubBuilder;

    /// Publishes bytes that no node sent, where nodes hear a room.
    fn inject(address: SocketAddr, room: &RoomName, bytes: &[u8]);
}

pub(super) struct OneServer<K> {
    server: Server,
    kind: PhantomData<K>,
}

impl<K> OneServer<K> {
    pub(super) fn new(server: Server) -> Self {
        Self {
            server,
            kind: PhantomData,
        }
    }
}

#[async_trait]
impl<K: Kind> Engine for OneServer<K> {
    async fn node(&self) -> HubBuilder {
        K::hub(self.server.address).await
    }

    async fn apart(&self) -> Option<(HubBuilder, Way)> {
        let proxy = Proxy::before(self.server.address).await;
        Some((K::hub(proxy.address).await, Way::Proxy(proxy)))
    }

    async fn kill(&mut self) {
        self.server.kill().await;
    }

    async fn restart(&mut self) {
        self.server.restart().await;
    }

    async fn freeze(&self) {
        self.server.signal("-STOP").await;
    }

    async fn thaw(&self) {
        self.server.signal("-CONT").await;
    }

    async fn inject(&self, room: &RoomName, bytes: &[u8]) {
        K::inject(self.server.address, room, bytes);
    }

    fn keeps_history(&self) -> bool {
        K::KEEPS_HISTORY
    }
}
