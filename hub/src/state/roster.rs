//! Who is present in a room, on all nodes, as far as this node knows.
//!
//! A state machine without IO. Its sources are what happens here, notices that nodes send, the
//! bus's records and nodes' leases; they may contradict each other for a moment, come twice or
//! late. Each change of the list is told once.

use std::collections::{HashMap, HashSet};

use crate::words::{Member, NodeId, SessionId};

/// What changed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Joined(Member),
    Changed(Member),
    Left(Member),
}

#[derive(Debug)]
pub(crate) struct Roster {
    /// This node: nobody else knows better who sits here.
    own: NodeId,
    members: HashMap<SessionId, Member>,
    /// How often records are being read just now.
    merges: usize,
    /// Who left meanwhile: records that are being read may be older.
    left: HashSet<SessionId>,
}

impl Roster {
    pub(crate) fn new(own: NodeId) -> Self {
        Self {
            own,
            members: HashMap::new(),
            merges: 0,
            left: HashSet::new(),
        }
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(crate) fn get_mut(&mut self, session: SessionId) -> Option<&mut Member> {
        self.members.get_mut(&session)
    }

    /// Somebody sat down here, or changed.
    pub(crate) fn put(&mut self, member: Member) -> Change {
        match self.members.insert(member.session, member.clone()) {
            Some(_) => Change::Changed(member),
            None => Change::Joined(member),
        }
    }

    /// Somebody got up here.
    pub(crate) fn remove(&mut self, session: SessionId) -> Option<Change> {
        self.members.remove(&session).map(Change::Left)
    }

    /// A node says that a member of its own is there.
    pub(crate) fn hear(&mut self, member: Member) -> Option<Change> {
        if member.session.node == self.own {
            return None;
        }
        self.left.remove(&member.session);
        self.merge_one(member)
    }

    /// A node says that a member of its own has left.
    pub(crate) fn hear_left(&mut self, session: SessionId) -> Option<Change> {
        if session.node == self.own {
            return None;
        }
        if self.merges > 0 {
            self.left.insert(session);
        }
        self.remove(session)
    }

    /// A node's lease has ended, or it has shut down.
    pub(crate) fn node_gone(&mut self, node: NodeId) -> Vec<Change> {
        if node == self.own {
            return Vec::new();
        }
        let gone: Vec<_> = self
            .members
            .extract_if(|session, _| session.node == node)
            .collect();
        if self.merges > 0 {
            self.left.extend(gone.iter().map(|(session, _)| *session));
        }
        gone.into_iter()
            .map(|(_, member)| Change::Left(member))
            .collect()
    }

    /// Records are about to be read: who leaves from now on has left, whatever they say.
    pub(crate) fn begin_merge(&mut self) {
        self.merges += 1;
    }

    /// The records could not be read.
    pub(crate) fn give_up_merge(&mut self) {
        self.end_merge();
    }

    /// Who left since the first of the readings under way began. The last one forgets them.
    fn end_merge(&mut self) -> HashSet<SessionId> {
        self.merges = self.merges.saturating_sub(1);
        if self.merges == 0 {
            std::mem::take(&mut self.left)
        } else {
            self.left.clone()
        }
    }

    /// Takes the bus's records. With `forget`, who is not among them is gone.
    pub(crate) fn merge(&mut self, records: Vec<Member>, forget: bool) -> Vec<Change> {
        let left = self.end_merge();
        let mut changes = Vec::new();
        if forget {
            let there: HashSet<_> = records.iter().map(|member| member.session).collect();
            let own = self.own;
            let gone = self.members.extract_if(|session, _| {
                session.node != own && !there.contains(session) && !left.contains(session)
            });
            changes.extend(gone.map(|(_, member)| Change::Left(member)));
        }
        for member in records {
            let session = member.session;
            if session.node != self.own && !left.contains(&session) {
                changes.extend(self.merge_one(member));
            }
        }
        changes
    }

    fn merge_one(&mut self, member: Member) -> Option<Change> {
        match self.members.get(&member.session) {
            Some(known) if known.version >= member.version => None,
            Some(_) => {
                self.members.insert(member.session, member.clone());
                Some(Change::Changed(member))
            }
            None => {
                self.members.insert(member.session, member.clone());
                Some(Change::Joined(member))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(node: u64, connection: u64, version: u32) -> Member {
        let session = SessionId {
            node: NodeId::from_u64(node),
            connection,
        };
        let mut member = Member::new(session, None, serde_json::Value::Null);
        member.version = version;
        member
    }

    /// Whatever is said in whatever order: nobody joins who is there, nobody leaves who is not.
    #[test]
    fn changes_alternate_for_each_member() {
        arbtest::arbtest(|u| {
            let mut roster = Roster::new(NodeId::from_u64(0));
            let mut there = HashMap::new();
            for _ in 0..u.int_in_range(1..=40)? {
                let one = member(
                    u.int_in_range(0..=2)?,
                    u.int_in_range(1..=2)?,
                    u.int_in_range(1..=3)?,
                );
                let node = one.session.node;
                let changes: Vec<Change> = match u.int_in_range(0..=6)? {
                    0 | 1 => roster.hear(one).into_iter().collect(),
                    2 => roster.hear_left(one.session).into_iter().collect(),
                    3 => roster.node_gone(node),
                    4 => {
                        roster.begin_merge();
                        Vec::new()
                    }
                    5 if node.as_u64() == 0 => vec![roster.put(one)],
                    _ => roster.merge(vec![one], u.arbitrary()?),
                };
                for change in changes {
                    match change {
                        Change::Joined(member) => {
                            let before = there.insert(member.session, member.version);
                            assert_eq!(before, None, "joined twice");
                        }
                        Change::Changed(member) => {
                            let before = there.insert(member.session, member.version);
                            assert!(before.is_some(), "changed without being there");
                        }
                        Change::Left(member) => {
                            assert!(there.remove(&member.session).is_some(), "left twice");
                        }
                    }
                }
                assert_eq!(roster.members().count(), there.len());
            }
            Ok(())
        })
        .budget_ms(300);
    }

    #[test]
    fn who_left_while_records_were_read_has_left() {
        let mut roster = Roster::new(NodeId::from_u64(0));
        let one = member(1, 1, 1);
        roster.hear(one.clone());
        roster.begin_merge();
        assert_eq!(
            roster.hear_left(one.session),
            Some(Change::Left(one.clone()))
        );
        assert_eq!(roster.merge(vec![one], true), []);
    }

    #[test]
    fn who_left_while_one_of_two_readings_was_done_has_left_for_the_other() {
        let mut roster = Roster::new(NodeId::from_u64(0));
        let one = member(1, 1, 1);
        roster.hear(one.clone());
        roster.begin_merge();
        roster.begin_merge();
        assert_eq!(roster.merge(vec![one.clone()], false), []);
        roster.hear_left(one.session);
        assert_eq!(roster.merge(vec![one], true), []);
    }
}
