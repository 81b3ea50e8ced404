//! What may be done from the page.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What may be done from the page: each is off unless it is allowed.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Close one session.
    CloseSession,
    /// Close all sessions of a principal.
    DisconnectPrincipal,
    /// Publish a text to a room of the hub.
    Publish,
    /// Shut the app down: no new sessions, and an end for those that are there.
    Drain,
}

/// Is told what somebody did.
pub(crate) type Told = Arc<dyn Fn(&Acted) + Send + Sync>;

/// What somebody did from the page.
#[non_exhaustive]
#[derive(Debug, Clone, Serialize)]
pub struct Acted {
    /// What.
    pub action: Action,
    /// Who: the principal's id.
    pub by: String,
    /// To which session, principal or room.
    pub on: String,
    /// How many sessions it reached.
    pub sessions: usize,
}
