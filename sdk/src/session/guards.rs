//! What middleware wants to be dropped with a session.

use std::{any::Any, sync::Arc};

use super::engine::LazyDeque;
use crate::message::{Error, catch};

/// Values that are dropped when the session ends. One that panics then harms nobody.
#[derive(Clone, Default)]
pub(crate) struct Guards(LazyDeque<Arc<dyn Any + Send + Sync>>);

impl Guards {
    pub(crate) fn hold(&mut self, guard: impl Any + Send + Sync) {
        self.0.push_back(Arc::new(guard));
    }

    /// Drops them, and says what they threw.
    pub(super) fn release(&mut self) -> Vec<Error> {
        let guards = std::mem::take(&mut self.0);
        guards
            .into_iter()
            .filter_map(|guard| catch(|| drop(guard)).err())
            .collect()
    }
}

impl Drop for Guards {
    fn drop(&mut self) {
        for panic in self.release() {
            tracing::error!(error = ?panic, "what a context held panicked when it was dropped");
        }
    }
}
