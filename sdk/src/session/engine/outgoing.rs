//! What a session has to send.

use crate::message::{Message, SharedMessage};

/// A message on its way out: the session's own, or one that many sessions send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outgoing {
    Own(Message),
    Shared(SharedMessage),
}

impl Outgoing {
    pub(crate) fn message(&self) -> &Message {
        match self {
            Self::Own(message) => message,
            Self::Shared(shared) => shared.message(),
        }
    }

    pub(crate) fn payload_bytes(&self) -> usize {
        self.message().payload_bytes()
    }

    /// Lets go of the buffer that the message was read into. A shared message has one of its own.
    pub(super) fn compact(&mut self) {
        if let Self::Own(message) = self {
            message.compact();
        }
    }
}

impl From<Message> for Outgoing {
    fn from(message: Message) -> Self {
        Self::Own(message)
    }
}
