//! Buses under test: every row of the hub's contract as a named case, on any bus.
//!
//! A bus joins with an implementation of [`BusHost`] and one line, `bus_conformance!(MyBus);`, in a
//! test file of its own. The cases run against the app of [`hub_node`](crate::hub_node), on several
//! nodes of one process where the bus is shared. No case asks for a bus's name: what a bus cannot
//! do it says through its [capabilities](wharf_hub::bus::BusCapabilities).

pub mod cases;
mod contract;
mod local;
mod memory;
#[cfg(feature = "nats")]
mod nats;
mod node;
#[cfg(any(feature = "redis", feature = "nats"))]
mod one_server;
mod ports;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "redis")]
mod redis_cluster;
mod server;
mod suite;
mod visitor;
mod way;

use std::time::Duration;

use async_trait::async_trait;
use wharf_hub::{HubBuilder, RoomName};

#[cfg(feature = "nats")]
pub use self::nats::NatsBus;
pub use self::{
    contract::{BUS_CASES, BUS_ROWS, BusRow},
    local::Local,
    memory::Memory,
    node::Node,
    server::Server,
    suite::check_bus,
    visitor::Visitor,
    way::{Proxy, Way},
};
#[cfg(feature = "redis")]
pub use self::{redis::RedisBus, redis_cluster::RedisCluster};

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts an engine of a kind: what a bus implements to run the cases.
#[async_trait]
pub trait BusHost: Send + Sync {
    /// Starts an engine that nobody else uses.
    async fn start(&self) -> Box<dyn Engine>;
}

/// An engine that runs. Dropped, it stops.
#[async_trait]
pub trait Engine: Send + Sync {
    /// A node's hub, with its own link to the engine, and everything else as by default.
    async fn node(&self) -> HubBuilder;

    /// A node's hub whose way to the engine can be cut, and the way; `None` where none can be.
    async fn apart(&self) -> Option<(HubBuilder, Way)>;

    /// Ends it at once, as a crash does.
    async fn kill(&mut self);

    /// Starts it again, where it was.
    async fn restart(&mut self);

    /// Makes it hang, with its connections open.
    async fn freeze(&self);

    /// Ends what [`freeze`](Self::freeze) began.
    async fn thaw(&self);

    /// Publishes bytes that no node sent, where nodes hear a room.
    async fn inject(&self, room: &RoomName, bytes: &[u8]);

    /// Whether histories outlive it.
    fn keeps_history(&self) -> bool;
}
