//! After the bus was away, lost something, or a node went.

use std::sync::{Arc, atomic::Ordering};

use futures::{StreamExt, stream};
use tokio::time::Instant;

use crate::{
    cells::Cell,
    keep::Shared,
    state::{Farewells, What},
    upkeep::open::{open_history, read_members},
    words::{NodeId, Topic, lock},
};

/// How many rooms are looked after at once.
pub(crate) const AT_ONCE: usize = 32;

pub(crate) fn outage_began(hub: &Arc<Shared>) {
    *lock(&hub.node.outage.began) = Some(Instant::now());
}

/// The bus is back: what was sent meanwhile was missed.
pub(crate) fn after_outage(hub: &Arc<Shared>) {
    *lock(&hub.node.outage.began) = None;
    hub.node.is_presence_dirty.store(true, Ordering::Release);
    // The other nodes come back, too, and tell who sits there; only then is missing who is missing.
    *lock(&hub.node.outage.settles) = Some(Instant::now() + hub.node.settings.lease.mul_f64(0.75));
    look_after(hub, hub.cells());
}

/// The bus dropped something on the way here.
pub(crate) fn after_loss(hub: &Arc<Shared>, topics: Option<Vec<Topic>>) {
    let cells = match topics {
        None => hub.cells(),
        Some(topics) => topics
            .iter()
            .filter_map(|topic| match topic {
                Topic::Room(name) => hub.cell(name),
                Topic::App => None,
            })
            .collect(),
    };
    look_after(hub, cells);
}

/// Tells gaps, fills holes, and reads who is there.
fn look_after(hub: &Arc<Shared>, cells: Vec<Arc<Cell>>) {
    for cell in &cells {
        cell.doubt(&hub.node);
    }
    let hub = Arc::clone(hub);
    tokio::spawn(async move {
        let hub = &hub;
        stream::iter(cells)
            .for_each_concurrent(AT_ONCE, |cell| async move {
                if open_history(&hub.node, &cell).await.is_err() {
                    hub.node.note_unread(&cell.name);
                }
                if hub.node.has_presence() {
                    let _ = read_members(&hub.node, &cell, false).await;
                }
            })
            .await;
    });
}

/// A node has shut down, or its lease has ended.
pub(crate) fn node_gone(hub: &Arc<Shared>, node: NodeId) {
    lock(&hub.node.others).remove(&node);
    hub.node.tell(|observer| observer.node_gone(node));
    for cell in hub.cells() {
        cell.node_gone(&hub.node, node);
    }
}

/// Tells the bus again who is here: it may have forgotten, or remember who has left. The other nodes
/// hear of those who left first.
pub(crate) async fn tell_presence(hub: &Arc<Shared>) -> wharf_sdk::Result<()> {
    hub.node.call(hub.node.bus.bury(hub.node.id)).await?;
    hub.node
        .call(hub.node.bus.beat(hub.node.settings.lease))
        .await?;
    let farewells = std::mem::take(&mut *lock(&hub.node.farewells));
    if let Err(error) = tell_farewells(hub, &farewells).await {
        lock(&hub.node.farewells).put_back(farewells);
        return Err(error);
    }
    for cell in hub.cells() {
        let entering: Vec<_> = {
            let state = cell.lock();
            let Some(roster) = &state.roster else {
                continue;
            };
            let own = roster
                .members()
                .filter(|member| member.session.node == hub.node.id);
            own.map(|member| {
                let notice = hub.node.encode(What::Joined(member.clone()));
                hub.node
                    .bus
                    .enter(&cell.name, member.session, member.to_record(), notice)
            })
            .collect()
        };
        for entered in entering {
            hub.node.call(entered).await?;
        }
    }
    Ok(())
}

async fn tell_farewells(hub: &Arc<Shared>, farewells: &Farewells) -> wharf_sdk::Result<()> {
    match farewells {
        Farewells::Each(owed) => {
            for (room, session) in owed {
                let notice = hub.node.encode(What::Left(*session));
                let leaving = hub.node.bus.leave(room, *session, false, notice);
                hub.node.call(leaving).await?;
            }
            Ok(())
        }
        Farewells::TooMany => {
            let telling = hub
                .node
                .bus
                .publish(&Topic::App, hub.node.encode(What::Gone));
            hub.node.call(telling).await
        }
    }
}

/// Long enough after an outage: who is not remembered any more is gone. `false` if the bus did not
/// say everything.
pub(crate) async fn settle(hub: &Arc<Shared>) -> bool {
    stream::iter(hub.cells())
        .map(|cell| async move { read_members(&hub.node, &cell, true).await.is_ok() })
        .buffer_unordered(AT_ONCE)
        .fold(true, |all, is_read| async move { all && is_read })
        .await
}
