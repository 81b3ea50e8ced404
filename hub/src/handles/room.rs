//! A name that sockets hear the same under.

use std::{fmt, sync::Arc};

use wharf_sdk::Result;

use crate::{
    ground::RoomOptions,
    handles::subscription::Subscription,
    keep::Shared,
    upkeep::open,
    words::{Member, RoomName, error},
};

/// A room of a [`Hub`](crate::Hub): a cheap clone, and costs nothing while nobody is in it.
#[derive(Clone)]
pub struct Room {
    pub(crate) hub: Arc<Shared>,
    pub(crate) name: RoomName,
    pub(crate) options: RoomOptions,
}

impl Room {
    pub(crate) fn new(hub: Arc<Shared>, name: RoomName, options: RoomOptions) -> Self {
        Self { hub, name, options }
    }

    /// Its name.
    pub fn name(&self) -> &RoomName {
        &self.name
    }

    /// Hears the room inside the server.
    ///
    /// # Errors
    ///
    /// Where the room has history or presence: the bus did not answer in time. Elsewhere none: while
    /// the bus is away, what happens on this node is heard.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has not subscribed.
    pub async fn subscribe(&self) -> Result<Subscription> {
        let stay = self.hub.enter_cell(&self.name, self.options);
        open(&stay).await?;
        Ok(Subscription::new(stay))
    }

    /// Who is in the room, on all nodes, in the order in which they came. Only the first to ask on
    /// a node waits for the bus, and nobody for other nodes.
    ///
    /// # Errors
    ///
    /// `WHARF_HUB_NO_PRESENCE` in a room without presence; that the bus did not answer in time,
    /// where nobody on this node is in the room.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn members(&self) -> Result<Vec<Member>> {
        let stay = self.hub.enter_cell(&self.name, self.options);
        if !stay.cell.lock().options.presence {
            return Err(error::no_presence());
        }
        open(&stay).await?;
        let state = stay.cell.lock();
        let roster = state.roster.as_ref();
        let mut members: Vec<_> =
            roster.map_or_else(Vec::new, |roster| roster.members().cloned().collect());
        members.sort_by_key(|member| (member.since, member.session));
        Ok(members)
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room")
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
