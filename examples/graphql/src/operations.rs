//! Which operations of a socket run.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Deserialize;

/// How many may run at once: each holds a stream and whatever that listens to.
pub const AT_ONCE: usize = 32;

/// The ids of those that run.
#[derive(Clone, Default)]
pub struct Operations {
    running: Arc<Mutex<HashSet<String>>>,
}

/// Why an operation may not begin.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another one with its id runs.
    Twice,
    /// As many run as may.
    TooMany,
}

impl Operations {
    /// Counts an operation from here on.
    pub fn begin(&self, id: &str) -> Result<(), Refusal> {
        let mut running = self.lock();
        if running.contains(id) {
            return Err(Refusal::Twice);
        }
        if running.len() == AT_ONCE {
            return Err(Refusal::TooMany);
        }
        running.insert(id.to_owned());
        Ok(())
    }

    /// Hears what a client is answered: that an operation is over, or something else.
    pub fn hear(&self, answer: &str) {
        #[derive(Deserialize)]
        struct Answer<'a> {
            r#type: &'a str,
            id: Option<String>,
        }
        if let Ok(Answer {
            r#type: "complete" | "error",
            id: Some(id),
        }) = serde_json::from_str(answer)
        {
            self.lock().remove(&id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        // The guarded sections only insert and remove.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
