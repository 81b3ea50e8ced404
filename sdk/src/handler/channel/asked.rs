//! Requests of the server that the peer has not answered yet.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::envelope::{Answer, unasked_reply};
use crate::message::{Error, ErrorKind, Result};

/// How many requests of the server may be unanswered on one connection.
const MAX_ASKED: usize = 64;

/// Pairs replies with requests.
#[derive(Debug, Default)]
pub(super) struct Asked {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    waiting: HashMap<u64, oneshot::Sender<Answer>>,
}

/// A request that waits for its reply; dropped, it waits no more.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    asked: &'a Asked,
    pub(super) id: u64,
    pub(super) answer: oneshot::Receiver<Answer>,
}

impl Asked {
    pub(super) fn begin(&self) -> Result<Waiting<'_>> {
        let mut state = self.lock();
        if state.waiting.len() >= MAX_ASKED {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "WHARF_TOO_MANY_REQUESTS",
                format!("{MAX_ASKED} requests to this peer are unanswered; wait for some of them"),
            ));
        }
        let (sender, answer) = oneshot::channel();
        state.last_id += 1;
        let id = state.last_id;
        state.waiting.insert(id, sender);
        Ok(Waiting {
            asked: self,
            id,
            answer,
        })
    }

    /// Hands a reply to whoever waits for it. One that comes too late is no fault of the peer's.
    pub(super) fn answer(&self, id: u64, answer: Answer) -> Result<()> {
        let mut state = self.lock();
        if id == 0 || id > state.last_id {
            return Err(unasked_reply());
        }
        let waiting = state.waiting.remove(&id);
        drop(state);
        if let Some(waiting) = waiting {
            let _ = waiting.send(answer);
        }
        Ok(())
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The guarded sections only insert and remove.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.asked.lock().waiting.remove(&self.id);
    }
}
