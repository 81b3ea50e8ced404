//! A socket's place in a room.

use std::{fmt, sync::Arc};

use serde_json::Value;
use wharf_sdk::Result;

use crate::{
    bus::BusFuture,
    keep::Membership,
    state::What,
    words::{Event, Gap, Position, RoomName, SessionId, check_metadata, error, lock},
};

/// A socket's place in a room. Dropping it leaves the room; so does the end of the session, wherever
/// the seat is kept.
///
/// A session that joins a room twice sits there once: both seats are the same place, which is given
/// up with the last.
#[must_use = "dropping it leaves the room"]
pub struct Seat(Arc<Membership>);

impl Seat {
    pub(crate) fn new(membership: Arc<Membership>) -> Self {
        Self(membership)
    }

    /// The session's id, unique over all nodes.
    pub fn session(&self) -> SessionId {
        self.0.session
    }

    /// The room.
    pub fn room(&self) -> &RoomName {
        &self.0.cell().name
    }

    /// Whether everything since the position that was asked for was sent; `None` if none was.
    pub fn resumed(&self) -> Option<bool> {
        lock(&self.0.welcome).and_then(|welcome| welcome.resumed)
    }

    /// Where the room's history stood when the seat was taken.
    pub fn position(&self) -> Option<Position> {
        lock(&self.0.welcome).and_then(|welcome| welcome.position)
    }

    /// What was missed since the last call, if anything was: by a member that is not
    /// [sent gaps](crate::Join::tell_gaps).
    pub fn take_gap(&self) -> Option<Gap> {
        let mut state = self.0.cell().lock();
        state.chairs.get_mut(self.0.key)?.missed.take()
    }

    /// Changes what others see of this member.
    ///
    /// # Errors
    ///
    /// `WHARF_HUB_NO_PRESENCE` in a room without presence, `WHARF_HUB_METADATA` over 4 KiB of JSON,
    /// `WHARF_HUB_LEFT` once the session has ended. While the bus is away the other nodes are told
    /// later.
    ///
    /// # Cancel safety
    ///
    /// Begun at the first poll, it goes on if the future is dropped.
    pub async fn update(&self, metadata: impl Into<Value>) -> Result<()> {
        let metadata = metadata.into();
        check_metadata(&metadata)?;
        if let Some(changing) = self.start_update(metadata)? {
            self.0.stay.hub.node.check_presence(changing).await;
        }
        Ok(())
    }

    fn start_update(&self, metadata: Value) -> Result<Option<BusFuture<()>>> {
        let (hub, cell) = (&self.0.stay.hub, self.0.cell());
        let mut state = cell.lock();
        let roster = state.roster.as_mut().ok_or_else(error::no_presence)?;
        let member = roster
            .get_mut(self.0.session)
            .ok_or_else(|| error::not_seated(self.0.session))?;
        member.metadata = metadata;
        member.version += 1;
        let member = member.clone();
        cell.tell(&hub.node, &mut state, &Event::Changed(member.clone()));
        Ok(hub.node.has_presence().then(|| {
            let record = member.to_record();
            let notice = hub.node.encode(What::Changed(member));
            hub.node
                .bus
                .enter(&cell.name, self.0.session, record, notice)
        }))
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("room", self.room())
            .field("session", &self.0.session)
            .finish_non_exhaustive()
    }
}
