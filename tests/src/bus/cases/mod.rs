//! The cases, a module for each table of the hub's contract.

pub mod history;
pub mod outages;
pub mod partitions;
pub mod presence;
pub mod rooms;

use super::{BusHost, Engine, Node, Way};

/// An engine and so many nodes on it; one where nothing can be shared.
async fn nodes(host: &dyn BusHost, count: usize) -> (Box<dyn Engine>, Vec<Node>) {
    let engine = host.start().await;
    let mut nodes = vec![Node::on(&*engine).await];
    while nodes.len() < count && nodes[0].hub.capabilities().is_shared {
        nodes.push(Node::on(&*engine).await);
    }
    (engine, nodes)
}
