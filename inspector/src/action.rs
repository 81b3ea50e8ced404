//! What may be done from the page.

use serde::{Deserialize, Serialize};

/// What may be done from the page: each is off unless it is allowed. Who did what is told to the
/// app's observers: [`Observer::intervened`](wharf_sdk::Observer::intervened).
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

impl Action {
    /// The word that observers are told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CloseSession => "close-session",
            Self::DisconnectPrincipal => "disconnect-principal",
            Self::Publish => "publish",
            Self::Drain => "drain",
        }
    }
}
