//! What is owed once a session ends.

use std::sync::Arc;

use super::{
    clock::now, engine::Counts, guards::Guards, hooks::SessionHooks, registry::Slot, shared::Shared,
};
use crate::message::{CloseFrame, CloseOutcome, Error, Phase};

/// What is owed once a session ends, and released with it on every path.
pub(crate) struct SessionEnd {
    hooks: Arc<dyn SessionHooks>,
    guards: Guards,
    _slot: Option<Slot>,
}

impl SessionEnd {
    pub(crate) fn new(hooks: Arc<dyn SessionHooks>, guards: Guards, slot: Option<Slot>) -> Self {
        Self {
            hooks,
            guards,
            _slot: slot,
        }
    }

    /// The close frame that a handler's error asks for.
    pub(crate) fn close_frame_for(&self, error: &Error) -> CloseFrame {
        self.hooks.close_frame_for(error)
    }

    pub(crate) fn tell_upgraded(&self, shared: &Shared) {
        self.hooks.upgraded(&shared.info);
    }

    pub(crate) fn tell_failed(&self, shared: &Shared, error: &Error) {
        self.hooks.failed(&shared.info, error);
    }

    /// Tells of the end, and releases what the session held.
    pub(crate) fn tell_closed(mut self, shared: &Shared, outcome: &CloseOutcome, counts: Counts) {
        for panic in self.guards.release() {
            self.tell_failed(shared, &panic.in_phase(Phase::Session));
        }
        let started = shared.lock().engine.started();
        let duration = now().saturating_duration_since(started);
        self.hooks.closed(&shared.info, outcome, duration, counts);
        if let Some(registry) = self.hooks.registry() {
            registry.strike(shared);
        }
    }
}
