//! Beginning to hear a room: what the first user of it on a node does for all.

use std::sync::Arc;

use tokio::time::Instant;
use wharf_sdk::Result;

use crate::{
    bus::Members,
    cells::{Cell, Historic},
    ground::Node,
    keep::Stay,
    state::{Log, Roster},
    words::{Member, lock},
};

/// Subscribes to a room and finds out where its history and its presence stand, unless that is done.
///
/// # Errors
///
/// What the bus said, after everything that can be done without it: a room is open to its own node
/// even then, and [recovers](crate::upkeep::recover) by itself.
pub(crate) async fn open(stay: &Stay) -> Result<()> {
    let (node, cell) = (&stay.hub.node, &stay.cell);
    if is_open(node, cell) {
        return Ok(());
    }
    let _turn = cell.opening.lock().await;
    if is_open(node, cell) {
        return Ok(());
    }
    let mut result = Ok(());
    if node.is_shared() && !cell.lock().is_subscribed {
        let subscribing = {
            let mut state = cell.lock();
            // From here on the bus remembers the wish, even if it is away.
            state.is_subscribed = true;
            node.bus.subscribe(vec![cell.topic()])
        };
        let subscribed = node.call(subscribing).await;
        let needs_bus = {
            let options = cell.lock().options;
            options.history.is_some() || options.presence
        };
        if needs_bus {
            result = subscribed;
        }
    }
    if result.is_ok() {
        result = open_history(node, cell).await;
    }
    let presence = open_presence(node, cell).await;
    result.and(presence)
}

fn is_open(node: &Node, cell: &Cell) -> bool {
    let state = cell.lock();
    (state.is_subscribed || !node.is_shared())
        && (state.history.is_some() || state.options.history.is_none())
        && (state.is_roster_read || !state.options.presence)
}

pub(crate) async fn open_history(node: &Arc<Node>, cell: &Arc<Cell>) -> Result<()> {
    let history = {
        let state = cell.lock();
        state.options.history.filter(|_| state.history.is_none())
    };
    if let Some(history) = history {
        let replay = node
            .call(node.bus.replay(&cell.name, history, None))
            .await?;
        let mut state = cell.lock();
        state.history = Some(Box::new(Historic::new(Log::at(replay.head))));
        if node.is_shared() {
            // What came over the bus between subscribing and now may be behind the head.
            let history = state.history.as_mut();
            let step = history.and_then(|history| history.log.doubt());
            cell.carry_out(node, &mut state, step);
        }
    }
    Ok(())
}

async fn open_presence(node: &Arc<Node>, cell: &Arc<Cell>) -> Result<()> {
    {
        let mut state = cell.lock();
        if !state.options.presence || state.is_roster_read {
            return Ok(());
        }
        let new = || Box::new(Roster::new(node.id));
        state.roster.get_or_insert_with(new);
        if !node.has_presence() {
            state.is_roster_read = true;
            return Ok(());
        }
    }
    node.take_lease().await?;
    read_members(node, cell, false).await
}

/// Reads who the bus remembers. With `forget`, who is not among them is gone.
pub(crate) async fn read_members(node: &Arc<Node>, cell: &Arc<Cell>, forget: bool) -> Result<()> {
    let reading = {
        let mut state = cell.lock();
        let Some(roster) = &mut state.roster else {
            return Ok(());
        };
        roster.begin_merge();
        node.bus.members(&cell.name)
    };
    let under_way = UnderWay(cell);
    let answer = node.call(reading).await;
    let mut state = cell.lock();
    std::mem::forget(under_way);
    let Some(roster) = &mut state.roster else {
        return Ok(());
    };
    match answer {
        Ok(members) => {
            let changes = roster.merge(living(node, &members), forget);
            cell.tell_changes(node, &mut state, changes);
            state.is_roster_read = true;
            Ok(())
        }
        Err(error) => {
            roster.give_up_merge();
            node.note_unread(&cell.name);
            Err(error)
        }
    }
}

/// A reading of members that somebody may stop waiting for.
struct UnderWay<'a>(&'a Cell);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(roster) = &mut self.0.lock().roster {
            roster.give_up_merge();
        }
    }
}

/// The members whose nodes are there.
fn living(node: &Node, members: &Members) -> Vec<Member> {
    let now = Instant::now();
    let mut nodes = lock(&node.others);
    for node in &members.live {
        nodes.insert(*node, now);
    }
    drop(nodes);
    let records = members.records.iter();
    records
        .filter_map(|record| {
            let member = Member::from_record(record);
            if member.is_none() {
                node.foreign("a member's record is damaged");
            }
            member
        })
        .filter(|member| members.live.contains(&member.session.node))
        .collect()
}
