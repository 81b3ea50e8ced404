//! What a node knows of its rooms, for pages and logs: asked of nobody, and cheap.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    cells::Cell,
    handles::hub::Hub,
    words::{Member, Position, RoomName},
};

/// A room as it is on this node: see [`Hub::open_rooms`]. The counts begin when the room is opened
/// here and only grow while it is; two of them, and the time in between, make a rate.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomSnapshot {
    /// Its name.
    pub name: RoomName,
    /// Places taken on this node.
    pub seats: usize,
    /// Subscriptions on this node.
    pub subscriptions: usize,
    /// Members on all nodes, as far as this one has heard. `None` without presence.
    pub members: Option<usize>,
    /// Where its history stands on this node. `None` without history, or before the bus has said.
    pub position: Option<Position>,
    /// Messages that were handed on here, whichever node they were published on.
    pub messages: u64,
    /// Deliveries that were dropped for members that read too slowly.
    pub dropped: u64,
    /// Gaps that were told to members and subscriptions.
    pub gaps: u64,
}

impl Hub {
    /// The rooms that somebody on this node uses, or did a moment ago, sorted by name: at most
    /// `limit` of those whose names begin with `prefix` and come behind `after`. With the last name
    /// as the next `after`, a page follows a page. Asks no other node; each page looks at the names
    /// of all rooms here.
    pub fn open_rooms(
        &self,
        prefix: &str,
        after: Option<&RoomName>,
        limit: usize,
    ) -> Vec<RoomSnapshot> {
        let mut page: BTreeMap<RoomName, Arc<Cell>> = BTreeMap::new();
        self.shared.for_each_cell(|cell| {
            let is_asked_for = cell.name.starts_with(prefix)
                && after.is_none_or(|after| cell.name > *after)
                && (page.len() < limit
                    || page
                        .last_key_value()
                        .is_some_and(|(last, _)| cell.name < *last));
            if is_asked_for {
                page.insert(cell.name.clone(), Arc::clone(cell));
                if page.len() > limit {
                    page.pop_last();
                }
            }
        });
        page.values().map(|cell| cell.snapshot()).collect()
    }

    /// Who is in a room on all nodes, as far as this one has heard, in the order in which they
    /// came: at most `limit`. `None` if nobody here uses the room, or it is without presence. Asks
    /// nobody: [`Room::members`](crate::Room::members) does.
    pub fn known_members(&self, room: &RoomName, limit: usize) -> Option<Vec<Member>> {
        let cell = self.shared.cell(room)?;
        let state = cell.lock();
        let roster = state.roster.as_ref()?;
        let mut first = BTreeMap::new();
        for member in roster.members() {
            first.insert((member.since, member.session), member);
            if first.len() > limit {
                first.pop_last();
            }
        }
        Some(first.into_values().cloned().collect())
    }
}

impl Cell {
    fn snapshot(&self) -> RoomSnapshot {
        let state = self.lock();
        RoomSnapshot {
            name: self.name.clone(),
            seats: state.chairs.len(),
            subscriptions: state.ears.len(),
            members: state.roster.as_ref().map(|roster| roster.members().count()),
            position: state.history.as_ref().map(|history| history.log.position()),
            messages: state.figures.messages,
            dropped: state.figures.dropped,
            gaps: state.figures.gaps,
        }
    }
}
