//! A node of the app in this process.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use wharf_hub::{Hub, HubBuilder, Stats};
use wharf_sdk::{Policy, testing::TestHost};

use super::{Engine, PATIENCE, Visitor};
use crate::hub_node;

/// A node of [`hub_node`], carried in memory.
#[derive(Debug)]
pub struct Node {
    /// Its hub.
    pub hub: Hub,
    host: TestHost,
}

impl Node {
    /// A node on this engine; its members count as gone two seconds after it is.
    pub async fn on(engine: &dyn Engine) -> Self {
        Self::new(engine.node().await.lease(Duration::from_secs(2)))
    }

    /// A node with this hub.
    ///
    /// # Panics
    ///
    /// If the bus lacks what the app needs.
    pub fn new(builder: HubBuilder) -> Self {
        Self::with_policy(builder, Policy::new())
    }

    /// A node with this hub, whose sockets have these limits.
    ///
    /// # Panics
    ///
    /// If the bus lacks what the app needs, or the limits contradict each other.
    pub fn with_policy(builder: HubBuilder, policy: Policy) -> Self {
        let hub = hub_node::hub(builder).expect("the bus has what the app needs");
        let app = hub_node::app_with(hub.clone(), policy).expect("the app is valid");
        Self {
            hub,
            host: TestHost::new(app),
        }
    }

    /// Visits a room, such as `lobby?presence=1`, under a name; takes the welcome.
    pub async fn visit(&self, room: &str, name: &str) -> Visitor {
        let mut visitor = self.knock(room, name).await;
        visitor.take_welcome().await;
        visitor
    }

    /// Visits a room and takes nothing.
    pub async fn knock(&self, room: &str, name: &str) -> Visitor {
        let separator = if room.contains('?') { '&' } else { '?' };
        let path = format!("/rooms/{room}{separator}name={name}");
        Visitor::in_memory(self.host.connect(&path).await)
    }

    /// Waits until the figures are as they should be.
    ///
    /// # Panics
    ///
    /// If they are not in time.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Stats) -> bool) {
        let waiting = timeout(PATIENCE, async {
            while !is_so(&self.hub.stats()) {
                sleep(Duration::from_millis(10)).await;
            }
        });
        if waiting.await.is_err() {
            panic!("not {what} within {PATIENCE:?}: {:?}", self.hub.stats());
        }
    }
}
