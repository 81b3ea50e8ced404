//! A socket's place in a room.

use std::{
    fmt,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::Value;
use wharf_sdk::Result;

use crate::{
    Event, Gap, Position, RoomName, SessionId, Welcome,
    attendance::Attendance,
    bus::BusFuture,
    cell::{Cell, Stay},
    chair::Chair,
    error,
    frame::What,
    member::check_metadata,
    shared::lock,
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
            self.0.stay.hub.check_presence(changing).await;
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
        cell.tell(hub, &mut state, &Event::Changed(member.clone()));
        Ok(hub.has_presence().then(|| {
            let record = member.to_record();
            let notice = hub.encode(What::Changed(member));
            hub.bus.enter(&cell.name, self.0.session, record, notice)
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

/// What all seats of a session in a room share.
pub(crate) struct Membership {
    pub(crate) stay: Stay,
    pub(crate) key: usize,
    pub(crate) session: SessionId,
    attendance: Weak<Attendance>,
    welcome: Mutex<Option<Welcome>>,
    is_given_up: AtomicBool,
}

impl Membership {
    pub(crate) fn new(stay: Stay, chair: Chair, attendance: &Arc<Attendance>) -> Arc<Self> {
        let session = chair.session;
        let key = stay.cell.lock().chairs.insert(chair);
        stay.hub.figures.members.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self {
            stay,
            key,
            session,
            attendance: Arc::downgrade(attendance),
            welcome: Mutex::default(),
            is_given_up: AtomicBool::new(false),
        })
    }

    pub(crate) fn cell(&self) -> &Arc<Cell> {
        &self.stay.cell
    }

    pub(crate) fn is_taken(&self) -> bool {
        !self.is_given_up.load(Ordering::Acquire)
    }

    pub(crate) fn welcomed(&self, welcome: Welcome) {
        *lock(&self.welcome) = Some(welcome);
    }

    /// Leaves the room, once.
    pub(crate) fn give_up(&self) {
        if self.is_given_up.swap(true, Ordering::AcqRel) {
            return;
        }
        let (hub, cell) = (&self.stay.hub, self.cell());
        let mut state = cell.lock();
        drop(state.chairs.try_remove(self.key));
        if state.chairs.is_empty() {
            state.chairs.shrink_to_fit();
        }
        let roster = state.roster.as_mut();
        if let Some(change) = roster.and_then(|roster| roster.remove(self.session)) {
            cell.tell_changes(hub, &mut state, Some(change));
            if hub.has_presence() {
                let is_last = state.chairs.is_empty();
                let notice = hub.encode(What::Left(self.session));
                let leaving = hub.bus.leave(&cell.name, self.session, is_last, notice);
                drop(state);
                hub.watch_leaving(&cell.name, self.session, leaving);
            }
        }
        hub.figures.members.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.give_up();
        if let Some(attendance) = self.attendance.upgrade() {
            lock(&attendance.seats).retain(|seat| seat.strong_count() > 0);
        }
    }
}
