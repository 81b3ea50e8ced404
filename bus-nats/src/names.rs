//! What subjects and streams are called. All but the subject where versions hear of each other have the
//! [version](FORMAT) in them.

use std::{fmt::Write, sync::OnceLock};

use wharf_hub::{
    History, NodeId, RoomName, SessionId,
    bus::{FORMAT, Topic},
};

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
            Topic::Room(room) => subject(&self.prefix, room),
        }
    }

    pub(crate) fn heard_of_app(&self) -> String {
        format!("{}.app.*", self.prefix)
    }

    /// Where frames of a room are heard: those that were published, and those that a stream has
    /// stored and published again.
    pub(crate) fn heard(&self, room: &RoomName) -> String {
        format!("{}.{FORMAT}.room.{}.*", self.prefix, place(room))
    }

    /// Where those of all rooms of a bucket are heard.
    pub(crate) fn heard_of_bucket(&self, bucket: u16) -> String {
        format!("{}.{FORMAT}.room.{bucket:03x}.*.*", self.prefix)
    }

    /// The topic of a subject that is heard.
    pub(crate) fn topic(&self, subject: &str) -> Option<Topic> {
        let rest = subject.strip_prefix(&self.prefix)?;
        if rest.starts_with(".app.") {
            return Some(Topic::App);
        }
        let token = Self::own(rest)?.strip_prefix("room.")?.split('.').nth(1)?;
        RoomName::new(untoken(token)?).ok().map(Topic::Room)
    }

    /// What comes behind this version, of what comes behind the prefix.
    fn own(rest: &str) -> Option<&str> {
        let (version, rest) = rest.strip_prefix('.')?.split_once('.')?;
        (version.parse() == Ok(FORMAT)).then_some(rest)
    }

    /// Where this node speaks to itself, to see whether the server is there.
    pub(crate) fn echo(&self) -> String {
        let node = self.node.get().copied().unwrap_or(NodeId::from_u64(0));
        format!("{}.echo.{node}", self.prefix)
    }

    /// The stream of all rooms that keep so much.
    pub(crate) fn stream(&self, history: History) -> String {
        format!("{}-{FORMAT}-rooms-{}", self.prefix, kept(history))
    }

    /// Where frames are published to be stored.
    pub(crate) fn log(&self, history: History, room: &RoomName) -> String {
        format!(
            "{}.{FORMAT}.log.{}.{}",
            self.prefix,
            kept(history),
            place(room)
        )
    }

    /// All subjects of a stream, and where it publishes again what it has stored.
    pub(crate) fn logs(&self, history: History) -> (String, String) {
        (
            format!("{}.{FORMAT}.log.{}.*.*", self.prefix, kept(history)),
            format!("{}.{FORMAT}.room.$1.$2.h", self.prefix),
        )
    }

    pub(crate) fn presence_stream(&self) -> String {
        format!("{}-{FORMAT}-presence", self.prefix)
    }

    pub(crate) fn member(&self, room: &RoomName, session: SessionId) -> String {
        let SessionId { node, connection } = session;
        format!(
            "{}.{FORMAT}.who.{}.{node}.{connection:x}",
            self.prefix,
            token(room)
        )
    }

    pub(crate) fn members(&self, room: &RoomName) -> String {
        format!("{}.{FORMAT}.who.{}.*.*", self.prefix, token(room))
    }

    pub(crate) fn members_of(&self, node: NodeId) -> String {
        format!("{}.{FORMAT}.who.*.{node}.*", self.prefix)
    }

    pub(crate) fn all_members(&self) -> String {
        format!("{}.{FORMAT}.who.*.*.*", self.prefix)
    }

    /// Whose member a subject is.
    pub(crate) fn node_of_member(&self, subject: &str) -> Option<NodeId> {
        let rest = subject.strip_prefix(&self.prefix)?;
        let rest = Self::own(rest)?.strip_prefix("who.")?;
        rest.split('.').nth(1)?.parse().ok()
    }

    pub(crate) fn lease_stream(&self) -> String {
        format!("{}-{FORMAT}-leases", self.prefix)
    }

    pub(crate) fn lease(&self, node: NodeId) -> String {
        format!("{}.{FORMAT}.lease.{node}", self.prefix)
    }

    pub(crate) fn leases(&self) -> String {
        format!("{}.{FORMAT}.lease.*", self.prefix)
    }
}

/// What a history keeps, as a token: rooms that keep equally much share a stream.
fn kept(history: History) -> String {
    format!("{}-{}", history.messages, history.age.as_millis())
}

/// The subject on which a room's messages are published: for tools that look on.
///
/// ```
/// use wharf_hub::RoomName;
///
/// # fn main() -> wharf_sdk::Result<()> {
/// let room = RoomName::new("harbour")?;
/// assert_eq!(wharf_nats::subject("wharf", &room), "wharf.1.room.068.harbour.c");
/// # Ok(())
/// # }
/// ```
pub fn subject(prefix: &str, room: &RoomName) -> String {
    format!("{prefix}.{FORMAT}.room.{}.c", place(room))
}

/// A room's bucket and name, as two tokens of a subject.
fn place(room: &str) -> String {
    format!("{:03x}.{}", bucket(room), token(room))
}

/// Rooms are spread over so many buckets, each of which can be subscribed to as a whole. All nodes
/// must agree on it.
pub(crate) const BUCKETS: u16 = 1024;

/// A room's bucket: the same on every node, so FNV-1a, which does not change.
pub(crate) fn bucket(room: &str) -> u16 {
    let hash = room.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    u16::try_from(hash % u64::from(BUCKETS)).unwrap_or_default()
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

/// The name that a token stands for.
fn untoken(token: &str) -> Option<String> {
    let mut parts = token.split('=');
    let mut name = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        name.push(u8::from_str_radix(digits, 16).ok()?);
        name.extend(rest.as_bytes());
    }
    String::from_utf8(name).ok()
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
    fn a_room_is_found_by_its_subject() {
        let names = Names::new("app".to_owned());
        for name in ["harbour", "a.b *>=", "é=3d", "x=", "=", "日本"] {
            let topic = Topic::Room(RoomName::new(name).expect("a name"));
            let subject = names.subject(&topic);
            assert_eq!(subject.split('.').count(), 6, "{subject}");
            assert_eq!(names.topic(&subject), Some(topic));
        }
        assert_eq!(names.topic("app.app.c"), Some(Topic::App));
        for foreign in [
            "app",
            "app.1.room",
            "app.1.room.fff",
            "other.1.room.1.a.c",
            "app.room.1.a.c",
            "app.2.room.1.a.c",
            "app.1.room.1.=z.c",
        ] {
            assert_eq!(names.topic(foreign), None, "{foreign}");
        }
    }

    /// A node of another version finds nothing that it would have to understand.
    #[test]
    fn every_name_says_its_version() {
        let names = Names::new("app".to_owned());
        let room = RoomName::new("room").expect("a name");
        let node = NodeId::from_u64(1);
        let session = SessionId {
            node,
            connection: 1,
        };
        let history = History::new(1, std::time::Duration::from_secs(1));
        let (logs, again) = names.logs(history);
        for name in [
            names.subject(&Topic::Room(room.clone())),
            names.heard(&room),
            names.heard_of_bucket(0),
            names.stream(history),
            names.log(history, &room),
            logs,
            again,
            names.presence_stream(),
            names.member(&room, session),
            names.members(&room),
            names.members_of(node),
            names.all_members(),
            names.lease_stream(),
            names.lease(node),
            names.leases(),
        ] {
            let version = name.split(['.', '-']).nth(1);
            assert_eq!(version, Some(FORMAT.to_string().as_str()), "{name}");
        }
    }

    /// Nodes of other releases have the same buckets.
    #[test]
    fn buckets_stay_what_they_are() {
        assert_eq!(bucket("harbour"), 0x068);
        assert_eq!(bucket("é"), 0x201);
    }

    #[test]
    fn rooms_are_spread_evenly() {
        let mut rooms = vec![0; usize::from(BUCKETS)];
        for at in 0..40_960 {
            rooms[usize::from(bucket(&format!("room-{at}")))] += 1;
        }
        let fullest = rooms.iter().max();
        assert!(fullest.is_some_and(|rooms| *rooms < 80), "{fullest:?}");
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
