//! What keys and channels are called. All but the channel where versions hear of each other have the
//! [version](FORMAT) in them.
//!
//! In a cluster, everything of a room lies on one node: rooms are spread over 128 partitions, each
//! with a hash tag of its own, so that there are few of them to subscribe to by.

use std::sync::OnceLock;

use wharf_hub::{
    NodeId, RoomName,
    bus::{FORMAT, Topic},
};

const PARTITIONS: u32 = 128;

#[derive(Debug)]
pub(crate) struct Names {
    prefix: String,
    is_cluster: bool,
    node: OnceLock<NodeId>,
}

impl Names {
    pub(crate) fn new(prefix: String, is_cluster: bool) -> Self {
        Self {
            prefix,
            is_cluster,
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

    pub(crate) fn is_cluster(&self) -> bool {
        self.is_cluster
    }

    pub(crate) fn publish_command(&self) -> &'static str {
        if self.is_cluster {
            "SPUBLISH"
        } else {
            "PUBLISH"
        }
    }

    /// What the channels that lie together begin with, whatever the version.
    fn tag(&self, partition: u32) -> String {
        if self.is_cluster {
            format!("{{{}:{partition:02x}}}", self.prefix)
        } else {
            self.prefix.clone()
        }
    }

    /// What everything of a version that lies together begins with.
    fn own(&self, partition: u32) -> String {
        format!("{}:{FORMAT}", self.tag(partition))
    }

    fn own_of(&self, room: &str) -> String {
        // FNV-1a: the same on every node and in every release.
        let hash = room.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        self.own(hash % PARTITIONS)
    }

    /// One tag for each partition.
    pub(crate) fn tags(&self) -> Vec<String> {
        let partitions = if self.is_cluster { PARTITIONS } else { 1 };
        (0..partitions)
            .map(|partition| self.own(partition))
            .collect()
    }

    pub(crate) fn channel(&self, topic: &Topic) -> String {
        match topic {
            Topic::App => format!("{}:a:", self.tag(0)),
            Topic::Room(room) => format!("{}:c:{room}", self.own_of(room)),
        }
    }

    /// What a channel is the channel of.
    pub(crate) fn topic(&self, channel: &str) -> Option<Topic> {
        let rest = if self.is_cluster {
            channel.split_once('}')?.1
        } else {
            channel.strip_prefix(&self.prefix)?
        };
        if rest == ":a:" {
            return Some(Topic::App);
        }
        let (version, room) = rest.strip_prefix(':')?.split_once(":c:")?;
        if version.parse() != Ok(FORMAT) {
            return None;
        }
        RoomName::new(room).ok().map(Topic::Room)
    }

    /// Epoch and last offset of a room's history.
    pub(crate) fn head(&self, room: &RoomName) -> String {
        format!("{}:h:{room}", self.own_of(room))
    }

    /// A room's history.
    pub(crate) fn stream(&self, room: &RoomName) -> String {
        format!("{}:s:{room}", self.own_of(room))
    }

    /// Who is in a room: records by session.
    pub(crate) fn members(&self, room: &RoomName) -> String {
        format!("{}:m:{room}", self.own_of(room))
    }

    /// In which rooms a node has members.
    pub(crate) fn rooms_of(&self, room: &RoomName, node: NodeId) -> String {
        format!("{}:n:{node}", self.own_of(room))
    }

    /// Until when each node's lease is good.
    pub(crate) fn leases(&self) -> String {
        format!("{}:leases", self.own(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_read_as_they_are_written() {
        for is_cluster in [false, true] {
            let names = Names::new("app".to_owned(), is_cluster);
            for room in ["room", "a:c:b", "{x}", "é }:c:"] {
                let topic = Topic::Room(RoomName::new(room).expect("a name"));
                assert_eq!(names.topic(&names.channel(&topic)), Some(topic));
            }
            assert_eq!(names.topic(&names.channel(&Topic::App)), Some(Topic::App));
            for foreign in ["other:1:c:room", "app:c:room", "app:2:c:room", "app:1:c:"] {
                assert_eq!(names.topic(foreign), None, "{foreign}");
            }
        }
    }

    /// A node of another version finds nothing that it would have to understand.
    #[test]
    fn every_name_says_its_version() {
        for is_cluster in [false, true] {
            let names = Names::new("app".to_owned(), is_cluster);
            let room = RoomName::new("room").expect("a name");
            let node = NodeId::from_u64(1);
            for name in [
                names.channel(&Topic::Room(room.clone())),
                names.head(&room),
                names.stream(&room),
                names.members(&room),
                names.rooms_of(&room, node),
                names.leases(),
            ] {
                let rest = name.strip_prefix(if is_cluster { "{app:" } else { "app" });
                let rest = rest.expect("the prefix");
                let version = rest.split(':').nth(1);
                assert_eq!(version, Some(FORMAT.to_string().as_str()), "{name}");
            }
        }
    }
}
