//! What happens in a room.

use serde_json::{Value, json};
use wharf_sdk::Message;

use crate::words::{
    id::{Position, SessionId},
    member::Member,
};

/// What happens in a room: the items of a [`Subscription`](crate::Subscription), and what sockets
/// are sent, once it is [rendered](crate::HubBuilder::render).
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Somebody published.
    Message(Delivery),
    /// Somebody sat down. Only in rooms with presence.
    Joined(Member),
    /// A member's metadata changed. Only in rooms with presence.
    Changed(Member),
    /// A member is gone, whatever the reason. Only in rooms with presence.
    Left(Member),
    /// Something may have been missed.
    Gap(Gap),
}

/// A message that was published.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// Its position, in a room with history.
    pub position: Option<Position>,
    /// Who was not to hear it.
    pub(crate) except: Option<SessionId>,
}

/// Something may have been missed: synchronize again.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// How many messages, where that is known.
    pub messages: Option<u64>,
}

impl Event {
    /// How an event looks unless a hub [renders](crate::HubBuilder::render) it otherwise: a
    /// message as it is, and everything else as JSON text: `{"joined": {…}}`, `{"changed": {…}}`,
    /// `{"left": {…}}`, `{"gap": {"messages": 3}}`.
    pub fn to_message(&self) -> Option<Message> {
        let value = match self {
            Self::Message(delivery) => return Some(delivery.message.clone()),
            Self::Joined(member) => json!({ "joined": describe(member) }),
            Self::Changed(member) => json!({ "changed": describe(member) }),
            Self::Left(member) => json!({ "left": describe(member) }),
            Self::Gap(gap) => json!({ "gap": { "messages": gap.messages } }),
        };
        Some(Message::text(value.to_string()))
    }
}

fn describe(member: &Member) -> Value {
    json!({
        "session": member.session.to_string(),
        "principal": member.principal.as_deref(),
        "metadata": member.metadata,
        "since": member.since_millis(),
    })
}
