//! What is done by the clock.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    open::{open_history, read_members},
    recover,
    shared::{Shared, lock},
};

/// How often the keeper looks: at gaps that wait for room, and at what has been idle for long.
const TICK: Duration = Duration::from_millis(250);

/// Starts the keeper of a hub, once. It ends with the hub.
pub(crate) fn start(hub: &Arc<Shared>) {
    if hub.has_keeper.swap(true, Ordering::AcqRel) {
        return;
    }
    tokio::spawn(keep(Arc::downgrade(hub)));
}

async fn keep(hub: Weak<Shared>) {
    let mut beat_at = Instant::now();
    loop {
        {
            let Some(hub) = hub.upgrade() else {
                return;
            };
            if hub.is_shut.load(Ordering::Acquire) {
                return;
            }
            hub.tell_lagging();
            if hub.is_shared() {
                hub.let_go_of_idle_rooms();
                hub.retry_refills();
                let now = Instant::now();
                if hub.has_presence() && now >= beat_at {
                    beat_at = now + hub.settings.lease / 3;
                    beat(&hub).await;
                }
                give_up_on_others(&hub);
                catch_up(&hub).await;
            }
        }
        tokio::time::sleep(TICK).await;
    }
}

/// Renews the lease, and sees whose have ended.
async fn beat(hub: &Arc<Shared>) {
    let began = Instant::now();
    // Before anybody here has asked for presence there is nothing to keep.
    if !hub.has_lease.initialized() {
        return;
    }
    let Ok(beat) = hub.call(hub.bus.beat(hub.settings.lease)).await else {
        return;
    };
    if beat.had_lapsed {
        // The others have been told that everybody here left.
        hub.is_presence_dirty.store(true, Ordering::Release);
    }
    let gone: Vec<_> = {
        let mut nodes = lock(&hub.nodes);
        nodes.extend(beat.live.iter().map(|node| (*node, began)));
        let gone = nodes.iter().filter(|(node, seen)| {
            // A sign of life since then, and it is about to take its lease again.
            !beat.live.contains(node) && **seen + hub.settings.lease / 3 < began
        });
        gone.map(|(node, _)| *node).collect()
    };
    let is_first = beat.live.iter().min() == Some(&hub.node);
    for node in gone {
        recover::node_gone(hub, node);
        if is_first {
            drop(hub.bus.bury(node));
        }
    }
}

/// Without the bus for two leases, nobody can say that the others are still there.
fn give_up_on_others(hub: &Arc<Shared>) {
    let began = *lock(&hub.outage.began);
    if began.is_some_and(|began| began + hub.settings.lease * 2 <= Instant::now()) {
        let others: Vec<_> = lock(&hub.nodes).keys().copied().collect();
        for node in others.into_iter().filter(|node| *node != hub.node) {
            recover::node_gone(hub, node);
        }
    }
}

/// Does again what failed, and what is due after an outage.
async fn catch_up(hub: &Arc<Shared>) {
    if lock(&hub.outage.began).is_some() {
        return;
    }
    for cell in hub.take_unread() {
        let history = open_history(hub, &cell).await;
        let is_unread = !cell.lock().is_roster_read;
        if history.is_err() || (is_unread && read_members(hub, &cell, false).await.is_err()) {
            hub.note_unread(&cell.name);
        }
    }
    if !hub.has_lease.initialized() {
        return;
    }
    if hub.is_presence_dirty.swap(false, Ordering::AcqRel)
        && recover::tell_presence(hub).await.is_err()
    {
        hub.is_presence_dirty.store(true, Ordering::Release);
    }
    let is_settled = lock(&hub.outage.settles).is_some_and(|at| at <= Instant::now());
    if is_settled {
        *lock(&hub.outage.settles) = None;
        recover::settle(hub).await;
    }
}

impl Shared {
    /// Sees that a leaving reaches the bus; if it does not, all presence is told again. Outside of
    /// a runtime the lease will do.
    pub(crate) fn watch_leaving(self: &Arc<Self>, leaving: crate::bus::BusFuture<()>) {
        let hub = Arc::clone(self);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { hub.check_presence(leaving).await });
        }
    }
}
