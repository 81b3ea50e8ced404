//! What an event is, as data.

use serde::Serialize;

#[cfg(feature = "asyncapi")]
use super::{channel::envelope::Envelope, documented::Type};

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
    /// What middleware runs around it, the outermost first: the app's, the groups', the route's, the
    /// channel's own.
    pub middleware: Vec<String>,
    /// The types of its payload and of what answers it, where they are known.
    #[cfg(feature = "asyncapi")]
    #[serde(skip)]
    pub(crate) types: Option<(Type, Type)>,
    /// Its channel's.
    #[cfg(feature = "asyncapi")]
    #[serde(skip)]
    pub(crate) manners: Manners,
}

/// How a channel speaks, and what it ends a session for.
#[cfg(feature = "asyncapi")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Manners {
    pub(crate) envelope: Envelope,
    pub(crate) closes_unknown: bool,
    pub(crate) closes_invalid: bool,
}

impl EventSnapshot {
    pub(super) fn emitted(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            from: "server",
            scopes: Vec::new(),
            per_second: None,
            timeout_ms: None,
            middleware: Vec::new(),
            #[cfg(feature = "asyncapi")]
            types: None,
            #[cfg(feature = "asyncapi")]
            manners: Manners::default(),
        }
    }
}
