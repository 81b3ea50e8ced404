//! Who is present in a room, on all nodes, as far as this node knows.
//!
//! A state machine without IO. Its sources are what happens here, notices that nodes send, the
//! bus's records and nodes' leases; they may contradict each other for a moment, come twice or
//! late. Each change of the list is told once.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
};

use crate::words::{Member, NodeId, SessionId};

/// What changed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Joined(Member),
    Changed(Member),
    Left(Member),
}

/// Where a notice stands among those of its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Next,
    Double,
    /// Others overtook it, so that it may not hold any more.
    Late,
}

#[derive(Debug)]
pub(crate) struct Roster {
    /// This node: nobody else knows better who sits here.
    own: NodeId,
    members: HashMap<SessionId, Member>,
    /// The number of what each node said of its members last.
    said: HashMap<NodeId, u64>,
    /// How often records are being read just now.
    merges: usize,
    /// Who came meanwhile (`true`) or left: records that are being read may be older.
    meanwhile: HashMap<SessionId, bool>,
}

impl Roster {
    pub(crate) fn new(own: NodeId) -> Self {
        Self {
            own,
            members: HashMap::new(),
            said: HashMap::new(),
            merges: 0,
            meanwhile: HashMap::new(),
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

    /// Finds a notice's turn, to be asked once for each.
    pub(crate) fn place(&mut self, node: NodeId, number: u64) -> Turn {
        if node == self.own {
            return Turn::Double;
        }
        let last = self.said.entry(node).or_default();
        match number.cmp(last) {
            Ordering::Greater => {
                *last = number;
                Turn::Next
            }
            Ordering::Equal => Turn::Double,
            Ordering::Less => Turn::Late,
        }
    }

    /// A node says that a member of its own is there.
    pub(crate) fn hear(&mut self, member: Member) -> Option<Change> {
        if member.session.node == self.own {
            return None;
        }
        if self.merges > 0 {
            self.meanwhile.insert(member.session, true);
        }
        self.merge_one(member)
    }

    /// A node says that a member of its own has left.
    pub(crate) fn hear_left(&mut self, session: SessionId) -> Option<Change> {
        if session.node == self.own {
            return None;
        }
        if self.merges > 0 {
            self.meanwhile.insert(session, false);
        }
        self.remove(session)
    }

    /// A node's lease has ended, or it has shut down.
    pub(crate) fn node_gone(&mut self, node: NodeId) -> Vec<Change> {
        if node == self.own {
            return Vec::new();
        }
        self.said.remove(&node);
        let gone: Vec<_> = self
            .members
            .extract_if(|session, _| session.node == node)
            .collect();
        if self.merges > 0 {
            let left = gone.iter().map(|(session, _)| (*session, false));
            self.meanwhile.extend(left);
        }
        gone.into_iter()
            .map(|(_, member)| Change::Left(member))
            .collect()
    }

    /// Records are about to be read: who comes or leaves from now on has, whatever they say.
    pub(crate) fn begin_merge(&mut self) {
        self.merges += 1;
    }

    /// The records could not be read.
    pub(crate) fn give_up_merge(&mut self) {
        self.end_merge();
    }

    /// Who came and left since the first of the readings under way began. The last one forgets them.
    fn end_merge(&mut self) -> HashMap<SessionId, bool> {
        self.merges = self.merges.saturating_sub(1);
        if self.merges == 0 {
            std::mem::take(&mut self.meanwhile)
        } else {
            self.meanwhile.clone()
        }
    }

    /// Takes the bus's records. With `forget`, who is not among them is gone.
    pub(crate) fn merge(&mut self, records: Vec<Member>, forget: bool) -> Vec<Change> {
        let meanwhile = self.end_merge();
        let mut changes = Vec::new();
        if forget {
            let there: HashSet<_> = records.iter().map(|member| member.session).collect();
            let own = self.own;
            let gone = self.members.extract_if(|session, _| {
                session.node != own && !there.contains(session) && !meanwhile.contains_key(session)
            });
            changes.extend(gone.map(|(_, member)| Change::Left(member)));
        }
        for member in records {
            let session = member.session;
            if session.node != self.own && meanwhile.get(&session) != Some(&false) {
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
    fn a_notice_that_others_overtook_is_told_apart() {
        let mut roster = Roster::new(NodeId::from_u64(0));
        let (one, two) = (NodeId::from_u64(1), NodeId::from_u64(2));
        let turns = [(one, 3), (one, 5), (two, 4), (one, 5), (one, 4), (two, 6)];
        let turns = turns.map(|(node, number)| roster.place(node, number));
        use Turn::{Double, Late, Next};
        assert_eq!(turns, [Next, Next, Next, Double, Late, Next]);
        roster.node_gone(one);
        assert_eq!(roster.place(one, 1), Next, "nothing is kept of who is gone");
    }

    #[test]
    fn who_came_while_records_were_read_is_there() {
        let mut roster = Roster::new(NodeId::from_u64(0));
        let (old, new) = (member(1, 1, 1), member(1, 2, 1));
        roster.hear(old.clone());
        roster.begin_merge();
        assert_eq!(roster.hear(new.clone()), Some(Change::Joined(new.clone())));
        assert_eq!(roster.merge(Vec::new(), true), [Change::Left(old)]);
        assert_eq!(roster.members().collect::<Vec<_>>(), [&new]);
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
