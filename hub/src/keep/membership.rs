//! A session's membership in a room: taken once, given up once.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use crate::{
    cells::Chair,
    keep::shared::{Attendance, Membership, Stay},
    state::What,
    words::{Welcome, lock},
};

impl Membership {
    pub(crate) fn new(stay: Stay, chair: Chair, attendance: &Arc<Attendance>) -> Arc<Self> {
        let session = chair.session;
        let mut state = stay.cell.lock();
        if state.chairs.is_empty() {
            // Many rooms have one member, and what grows by itself begins with room for four.
            state.chairs.reserve_exact(1);
        }
        let key = state.chairs.insert(chair);
        drop(state);
        stay.hub
            .node
            .figures
            .members
            .fetch_add(1, Ordering::Relaxed);
        Arc::new(Self {
            stay,
            key,
            session,
            attendance: Arc::downgrade(attendance),
            welcome: Mutex::default(),
            is_given_up: AtomicBool::new(false),
        })
    }

    pub(crate) fn welcomed(&self, welcome: Welcome) {
        *lock(&self.welcome) = Some(welcome);
    }

    /// Leaves the room, once.
    pub(crate) fn give_up(&self) {
        if self.is_given_up.swap(true, Ordering::AcqRel) {
            return;
        }
        let (node, cell) = (&self.stay.hub.node, self.cell());
        let mut state = cell.lock();
        drop(state.chairs.try_remove(self.key));
        if state.chairs.is_empty() {
            state.chairs.shrink_to_fit();
        }
        let roster = state.roster.as_mut();
        if let Some(change) = roster.and_then(|roster| roster.remove(self.session)) {
            cell.tell_changes(node, &mut state, Some(change));
            if node.has_presence() {
                let is_last = state.chairs.is_empty();
                let notice = node.encode(What::Left(self.session));
                let leaving = node.bus.leave(&cell.name, self.session, is_last, notice);
                drop(state);
                node.watch_leaving(&cell.name, self.session, leaving);
            }
        }
        node.figures.members.fetch_sub(1, Ordering::Relaxed);
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
