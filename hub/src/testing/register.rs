//! Members and leases in memory. Time is a parameter.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;

use crate::{
    bus::Beat,
    words::{NodeId, RoomName, SessionId},
};

#[derive(Debug, Default)]
pub(super) struct Register {
    members: HashMap<RoomName, HashMap<SessionId, Bytes>>,
    leases: HashMap<NodeId, Duration>,
}

impl Register {
    pub(super) fn enter(&mut self, room: &RoomName, session: SessionId, record: Bytes) {
        let members = self.members.entry(room.clone()).or_default();
        members.insert(session, record);
    }

    pub(super) fn leave(&mut self, room: &RoomName, session: SessionId) {
        if let Some(members) = self.members.get_mut(room) {
            members.remove(&session);
            if members.is_empty() {
                self.members.remove(room);
            }
        }
    }

    pub(super) fn members(&self, room: &RoomName) -> Vec<Bytes> {
        let members = self.members.get(room);
        members.map_or_else(Vec::new, |members| members.values().cloned().collect())
    }

    pub(super) fn beat(&mut self, node: NodeId, lease: Duration, now: Duration) -> Beat {
        let until = self.leases.insert(node, now + lease);
        self.leases.retain(|_, until| *until > now);
        Beat {
            live: self.leases.keys().copied().collect(),
            had_lapsed: until.is_none_or(|until| until <= now),
        }
    }

    pub(super) fn live(&self, now: Duration) -> Vec<NodeId> {
        let good = self.leases.iter().filter(|(_, until)| **until > now);
        good.map(|(node, _)| *node).collect()
    }

    pub(super) fn bury(&mut self, node: NodeId) {
        self.leases.remove(&node);
        self.members.retain(|_, members| {
            members.retain(|session, _| session.node != node);
            !members.is_empty()
        });
    }
}
