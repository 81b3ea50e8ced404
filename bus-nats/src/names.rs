//! What subjects and streams are called.

use std::{fmt::Write, sync::OnceLock};

use wharf_hub::{History, NodeId, RoomName, SessionId, bus::Topic};

#[derive(Debug)]
pub(crate) struct Names {
    prefix: String,
    node: OnceLock<NodeId>,
}

impl Names {
    pub(crate) fn new(prefix: String) -> Self {
        Self {
            prefix,
            node: OnceLock::new(),
        }
    }

    pub(crate) fn set_node(&self, node: NodeId) {
        let _ = self.node.set(node);
    }

    pub(crate) fn node(&self) -> Option<NodeId> {
        self.node.get().copied()
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Where frames of a topic are published.
    pub(crate) fn subject(&self, topic: &Topic) -> String {
        match topic {
            Topic::App => format!("{}.app.c", self.prefix),
            Topic::Room(room) => format!("{}.room.{}.c", self.prefix, token(room)),
        }
    }

    /// Where frames of a topic are heard: those that were published, and those that a stream has
    /// stored and published again.
    pub(crate) fn heard(&self, topic: &Topic) -> String {
        match topic {
            Topic::App => format!("{}.app.*", self.prefix),
            Topic::Room(room) => format!("{}.room.{}.*", self.prefix, token(room)),
        }
    }

    /// Where this node speaks to itself, to see whether the server is there.
    pub(crate) fn echo(&self) -> String {
        let node = self.node.get().copied().unwrap_or(NodeId::from_u64(0));
        format!("{}.echo.{node}", self.prefix)
    }

    /// The stream of all rooms that keep so much.
    pub(crate) fn stream(&self, history: History) -> String {
        format!("{}-log-{}", self.prefix, kept(history))
    }

    /// Where frames are published to be stored.
    pub(crate) fn log(&self, history: History, room: &RoomName) -> String {
        format!("{}.log.{}.{}", self.prefix, kept(history), token(room))
    }

    /// All subjects of a stream, and where it publishes again what it has stored.
    pub(crate) fn logs(&self, history: History) -> (String, String) {
        (
            format!("{}.log.{}.*", self.prefix, kept(history)),
            format!("{}.room.$1.h", self.prefix),
        )
    }

    pub(crate) fn presence_stream(&self) -> String {
        format!("{}-presence", self.prefix)
    }

    pub(crate) fn member(&self, room: &RoomName, session: SessionId) -> String {
        let SessionId { node, connection } = session;
        format!("{}.who.{}.{node}.{connection:x}", self.prefix, token(room))
    }

    pub(crate) fn members(&self, room: &RoomName) -> String {
        format!("{}.who.{}.*.*", self.prefix, token(room))
    }

    pub(crate) fn members_of(&self, node: NodeId) -> String {
        format!("{}.who.*.{node}.*", self.prefix)
    }

    pub(crate) fn all_members(&self) -> String {
        format!("{}.who.*.*.*", self.prefix)
    }

    /// Whose member a subject is.
    pub(crate) fn node_of_member(&self, subject: &str) -> Option<NodeId> {
        let rest = subject.strip_prefix(&self.prefix)?.strip_prefix(".who.")?;
        rest.split('.').nth(1)?.parse().ok()
    }

    pub(crate) fn lease_stream(&self) -> String {
        format!("{}-leases", self.prefix)
    }

    pub(crate) fn lease(&self, node: NodeId) -> String {
        format!("{}.lease.{node}", self.prefix)
    }

    pub(crate) fn leases(&self) -> String {
        format!("{}.lease.*", self.prefix)
    }
}

/// What a history keeps, as a token: rooms that keep equally much share a stream.
fn kept(history: History) -> String {
    format!("{}-{}", history.messages, history.age.as_millis())
}

/// A room's name as one token of a subject: what may stand there stands for itself, and everything
/// else is an equals sign and two hexadecimal digits a byte.
fn token(room: &str) -> String {
    room.bytes()
        .fold(String::with_capacity(room.len()), |mut token, byte| {
            if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) {
                token.push(char::from(byte));
            } else {
                let _ = write!(token, "={byte:02x}");
            }
            token
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_one_token() {
        assert_eq!(token("room-1_A"), "room-1_A");
        assert_eq!(token("a.b *>="), "a=2eb=20=2a=3e=3d");
        assert_eq!(token("é"), "=c3=a9");
    }

    #[test]
    fn a_member_is_found_by_its_node() {
        let names = Names::new("app".to_owned());
        let session = SessionId {
            node: NodeId::from_u64(0x1f),
            connection: 2,
        };
        let subject = names.member(&RoomName::new("a.b").expect("a name"), session);
        assert_eq!(names.node_of_member(&subject), Some(session.node));
    }
}
