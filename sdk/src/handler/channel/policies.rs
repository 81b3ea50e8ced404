//! What a channel does with its events, whatever they are called.

use serde::Serialize;

use super::envelope::{Envelope, Replies};
use crate::handler::middleware::MessageStack;

#[derive(Debug, Clone)]
pub(super) struct Policies {
    pub(super) envelope: Envelope,
    pub(super) replies: Replies,
    pub(super) middleware: MessageStack,
    pub(super) unknown: EventErrors,
    pub(super) invalid: EventErrors,
    pub(super) failed: EventErrors,
}

impl Policies {
    /// The defaults, in these words.
    pub(super) fn of(envelope: Envelope) -> Self {
        Self {
            replies: Replies::new(&envelope),
            envelope,
            middleware: MessageStack::default(),
            unknown: EventErrors::default(),
            invalid: EventErrors::default(),
            failed: EventErrors::default(),
        }
    }
}

/// What becomes of an event that nobody knows, that does not decode, or whose function fails.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventErrors {
    /// The peer gets a reply that says what is wrong; without an id, one to `null`.
    #[default]
    Reply,
    /// Nothing is sent, unless the event has an id: whoever waits for a reply gets one.
    Ignore,
    /// The session is closed: 1008 for an unknown event, 1007 for a payload that does not decode,
    /// 1011 for a function that fails.
    Close,
}
