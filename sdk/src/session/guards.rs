//! What middleware wants to be dropped with a session.

use std::{any::Any, sync::Arc};

/// Values that are dropped when the session ends.
#[derive(Clone, Default)]
pub(crate) struct Guards(
    #[allow(dead_code, reason = "held for its drop")] Vec<Arc<dyn Any + Send + Sync>>,
);

impl Guards {
    pub(crate) fn hold(&mut self, guard: impl Any + Send + Sync) {
        self.0.push(Arc::new(guard));
    }
}
