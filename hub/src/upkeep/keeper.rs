//! What is done by the clock.

use std::sync::{Arc, atomic::Ordering};

use futures::{StreamExt, future::BoxFuture, stream};
use tokio::time::{Duration, Instant, sleep_until};

use crate::{
    keep::Shared,
    upkeep::{
        open::{open_history, read_members},
        recover,
        recover::AT_ONCE,
    },
    words::lock,
};

/// How often the keeper looks: at gaps that wait for room, and at what has been idle for long.
const TICK: Duration = Duration::from_millis(250);

/// Starts the keeper of a hub, once. It ends with the hub.
pub(crate) fn start(hub: &Arc<Shared>) {
    if hub.node.has_keeper.swap(true, Ordering::AcqRel) {
        return;
    }
    every(hub, TICK, |hub| Box::pin(async move { keep(&hub) }));
    // What waits for the bus is apart, so that the lease is renewed whatever else takes long.
    if hub.node.is_shared() {
        every(hub, TICK, |hub| {
            Box::pin(async move { catch_up(&hub).await })
        });
    }
    if hub.node.has_presence() {
        let pause = hub.node.settings.lease / 3;
        every(hub, pause, |hub| Box::pin(async move { beat(&hub).await }));
    }
}

/// Does something again and again, until the hub is gone or shut down.
fn every(
    hub: &Arc<Shared>,
    pause: Duration,
    act: impl Fn(Arc<Shared>) -> BoxFuture<'static, ()> + Send + 'static,
) {
    let hub = Arc::downgrade(hub);
    tokio::spawn(async move {
        loop {
            let next = Instant::now() + pause;
            match hub.upgrade() {
                Some(hub) if !hub.node.is_shut.load(Ordering::Acquire) => act(hub).await,
                _ => return,
            }
            sleep_until(next).await;
        }
    });
}

/// What needs no waiting.
fn keep(hub: &Arc<Shared>) {
    hub.tell_lagging();
    if hub.node.is_shared() {
        hub.let_go_of_idle_rooms();
        hub.retry_refills();
        give_up_on_others(hub);
    }
}

/// Renews the lease, and sees whose have ended.
async fn beat(hub: &Arc<Shared>) {
    let began = Instant::now();
    // Before anybody here has asked for presence there is nothing to keep.
    if !hub.node.has_lease.initialized() {
        return;
    }
    let Ok(beat) = hub
        .node
        .call(hub.node.bus.beat(hub.node.settings.lease))
        .await
    else {
        return;
    };
    if beat.had_lapsed {
        // The others have been told that everybody here left.
        hub.node.is_presence_dirty.store(true, Ordering::Release);
    }
    // After an outage the others take their leases anew, and not all at once.
    let is_settled = hub.node.outage.is_over();
    let gone: Vec<_> = {
        let mut nodes = lock(&hub.node.others);
        nodes.extend(beat.live.iter().map(|node| (*node, began)));
        let gone = nodes.iter().filter(|(node, seen)| {
            // A sign of life since then, and it is about to take its lease again.
            is_settled && !beat.live.contains(node) && **seen + hub.node.settings.lease / 3 < began
        });
        gone.map(|(node, _)| *node).collect()
    };
    let is_first = beat.live.iter().min() == Some(&hub.node.id);
    for node in gone {
        recover::node_gone(hub, node);
        if is_first {
            drop(hub.node.bus.bury(node));
        }
    }
}

/// Without the bus for two leases, nobody can say that the others are still there.
fn give_up_on_others(hub: &Arc<Shared>) {
    let began = *lock(&hub.node.outage.began);
    if began.is_some_and(|began| began + hub.node.settings.lease * 2 <= Instant::now()) {
        let others: Vec<_> = lock(&hub.node.others).keys().copied().collect();
        for node in others.into_iter().filter(|node| *node != hub.node.id) {
            recover::node_gone(hub, node);
        }
    }
}

/// Does again what failed, and what is due after an outage.
async fn catch_up(hub: &Arc<Shared>) {
    if lock(&hub.node.outage.began).is_some() {
        return;
    }
    stream::iter(hub.take_unread())
        .for_each_concurrent(AT_ONCE, |cell| async move {
            let history = open_history(&hub.node, &cell).await;
            let is_unread = !cell.lock().is_roster_read;
            // Soon after an outage others may not be remembered yet.
            let forget = hub.node.outage.is_over();
            if history.is_err()
                || (is_unread && read_members(&hub.node, &cell, forget).await.is_err())
            {
                hub.node.note_unread(&cell.name);
            }
        })
        .await;
    if !hub.node.has_lease.initialized() {
        return;
    }
    if hub.node.is_presence_dirty.swap(false, Ordering::AcqRel)
        && recover::tell_presence(hub).await.is_err()
    {
        hub.node.is_presence_dirty.store(true, Ordering::Release);
    }
    let now = Instant::now();
    let Some(due) = lock(&hub.node.outage.settles).filter(|due| *due <= now) else {
        return;
    };
    // A room that cannot be read must not for ever keep all others from hearing of dead nodes.
    if recover::settle(hub).await || due + hub.node.settings.lease <= now {
        let mut settles = lock(&hub.node.outage.settles);
        // It may have been away again in between.
        if *settles == Some(due) {
            *settles = None;
        }
    }
}
