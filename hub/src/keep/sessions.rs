//! The sessions that a hub knows: those that sit somewhere, or were registered.

use std::sync::{Arc, Mutex, Weak, atomic::Ordering};

use wharf_sdk::{CloseFrame, ConnectionId, Message, Result, Sender, SharedMessage};

use crate::{
    cells::{Handed, share},
    ground::add,
    keep::{
        sharded::shrink,
        shared::{Attendance, Shared},
    },
    words::{SessionId, error, lock},
};

impl Shared {
    pub(crate) fn attend(self: &Arc<Self>, sender: &Sender) -> Result<Arc<Attendance>> {
        if sender.is_closing() {
            return Err(error::ended());
        }
        let mut attendances = self.attendances.lock(&sender.id());
        if let Some(known) = attendances.get(&sender.id()) {
            return Ok(Arc::clone(known));
        }
        let attendance = Arc::new(Attendance {
            sender: sender.clone(),
            session: SessionId::new(self.node.id, sender.id()),
            seats: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        });
        attendances.insert(sender.id(), Arc::clone(&attendance));
        drop(attendances);
        self.node.figures.sessions.fetch_add(1, Ordering::Relaxed);
        let (hub, sender) = (Arc::downgrade(self), sender.clone());
        tokio::spawn(async move {
            sender.closing().await;
            if let Some(hub) = hub.upgrade() {
                hub.forget(sender.id());
            }
        });
        Ok(attendance)
    }

    /// The session has ended: its seats are given up, whoever holds them.
    fn forget(&self, connection: ConnectionId) {
        let attendance = {
            let mut attendances = self.attendances.lock(&connection);
            let gone = attendances.remove(&connection);
            shrink(&mut attendances);
            gone
        };
        if let Some(attendance) = attendance {
            self.node.figures.sessions.fetch_sub(1, Ordering::Relaxed);
            let seats = std::mem::take(&mut *lock(&attendance.seats));
            for seat in seats.iter().filter_map(Weak::upgrade) {
                seat.give_up();
            }
        }
    }

    /// Closes the sessions of a principal on this node; returns how many.
    pub(crate) fn disconnect_here(&self, principal: &str, frame: &CloseFrame) -> usize {
        let mut closed = 0;
        for attendance in self.attendances.values() {
            let sender = &attendance.sender;
            if sender.info().principal() == Some(principal)
                && !sender.is_closing()
                && sender
                    .start_close(frame.code(), frame.reason().clone())
                    .is_ok()
            {
                closed += 1;
            }
        }
        closed
    }

    /// Sends to all sessions on this node; returns to how many.
    pub(crate) fn broadcast_here(&self, message: &Message) -> usize {
        let message = SharedMessage::new(message.clone());
        let attendances = self.attendances.values();
        let handed = attendances
            .iter()
            .map(|attendance| share(&attendance.sender, &message))
            .filter(|handed| matches!(handed, Handed::Over | Handed::MadeRoom(_)))
            .count();
        add(&self.node.figures.delivered, handed as u64);
        handed
    }
}
