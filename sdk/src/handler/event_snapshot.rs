//! What an event is, as data.

use serde::Serialize;

/// One event of a channel, with everything in effect on it.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventSnapshot {
    /// Its name.
    pub name: String,
    /// Who sends it: `peer` or `server`.
    pub from: &'static str,
    /// The scopes that its sender must have.
    pub scopes: Vec<String>,
    /// How many a second are taken, if there is a bound.
    pub per_second: Option<u32>,
    /// How long its function may take, in milliseconds.
    pub timeout_ms: Option<u64>,
}

impl EventSnapshot {
    pub(super) fn emitted(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            from: "server",
            scopes: Vec::new(),
            per_second: None,
            timeout_ms: None,
        }
    }
}
