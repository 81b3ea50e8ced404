//! What is owed once a session ends.

use std::{sync::Arc, time::Instant};

use super::{
    clock::now,
    engine::Counts,
    guards::Guards,
    hooks::SessionHooks,
    info::SessionInfo,
    registry::{Enrolled, Slot},
};
use crate::message::{CloseFrame, CloseOutcome, Error, Phase};

/// What is owed once a session ends, and released with it on every path.
pub(crate) struct SessionEnd {
    hooks: Arc<dyn SessionHooks>,
    info: Arc<SessionInfo>,
    started: Instant,
    guards: Guards,
    _counted: (Option<Enrolled>, Option<Slot>),
}

impl SessionEnd {
    pub(crate) fn new(
        hooks: Arc<dyn SessionHooks>,
        info: Arc<SessionInfo>,
        started: Instant,
        guards: Guards,
        counted: (Option<Enrolled>, Option<Slot>),
    ) -> Self {
        Self {
            hooks,
            info,
            started,
            guards,
            _counted: counted,
        }
    }

    /// The close frame that a handler's error asks for.
    pub(crate) fn close_frame_for(&self, error: &Error) -> CloseFrame {
        self.hooks.close_frame_for(error)
    }

    pub(crate) fn tell_upgraded(&self) {
        self.hooks.upgraded(&self.info);
    }

    pub(crate) fn tell_failed(&self, error: &Error) {
        self.hooks.failed(&self.info, error);
    }

    /// Tells of the end, and releases what the session held.
    pub(crate) fn tell_closed(mut self, outcome: &CloseOutcome, counts: Counts) {
        for panic in self.guards.release() {
            self.tell_failed(&panic.in_phase(Phase::Session));
        }
        let duration = now().saturating_duration_since(self.started);
        self.hooks.closed(&self.info, outcome, duration, counts);
    }
}
