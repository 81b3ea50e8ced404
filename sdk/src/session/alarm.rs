//! What wakes a session when a timer is due.

use std::sync::Arc;

use super::{alarms::Alarms, moment::Moment, shared::Shared};

/// A session's alarm.
pub(super) struct Alarm {
    /// No timer is due before.
    at: Moment,
    /// Where it is set, if it is.
    among: Option<Arc<Alarms<Shared>>>,
}

impl Alarm {
    /// A timer may be due: the state has to be looked at.
    pub(super) const fn ringing() -> Self {
        Self {
            at: Moment::FIRST,
            among: None,
        }
    }

    /// Whether a timer may be due.
    #[inline]
    pub(super) fn rings(&self, now: Moment) -> bool {
        self.at <= now
    }

    /// Wakes the session by this deadline; `true` if it has passed already. It may wake it early:
    /// deadlines mostly move on, and are not worth a change.
    #[inline]
    pub(super) fn set(&mut self, deadline: Moment, now: Moment, session: &Arc<Shared>) -> bool {
        if now < self.at && self.at <= deadline {
            return false;
        }
        self.change(deadline, now, session)
    }

    fn change(&mut self, deadline: Moment, now: Moment, session: &Arc<Shared>) -> bool {
        match self.rings(now) {
            // There is nothing to forget: it has rung, or is about to.
            true => self.among = None,
            false => self.stop(session),
        }
        self.at = deadline;
        let has_passed = self.rings(now);
        if !has_passed && deadline.comes() {
            let among = Alarms::of_thread();
            // As its handler is woken, whatever task the session is in: a turn of the handler's for
            // nothing costs less than to remember another waker.
            among.set(deadline, session);
            self.among = Some(among);
        }
        has_passed
    }

    /// Wakes nobody any more.
    pub(super) fn stop(&mut self, session: &Arc<Shared>) {
        if let Some(among) = self.among.take() {
            among.forget(self.at, session);
        }
    }
}
