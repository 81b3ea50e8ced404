//! What a route was told to document.

use crate::handler::Type;

/// One of a channel's events.
#[derive(Clone)]
pub(super) struct DescribedEvent {
    pub(super) name: String,
    pub(super) data: Type,
    /// What answers it, if the peer sends it.
    pub(super) reply: Type,
}

/// What a route was told to document.
#[derive(Clone, Default)]
pub(crate) struct Described {
    pub(super) summary: Option<String>,
    pub(super) is_hidden: bool,
    pub(super) reads: Vec<Type>,
    pub(super) writes: Vec<Type>,
    pub(super) query: Option<Type>,
    pub(super) headers: Option<Type>,
    pub(super) events: Vec<DescribedEvent>,
}
