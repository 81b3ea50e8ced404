//! Who left while the bus could not be told.

use crate::words::{RoomName, SessionId};

/// So many are told one by one; beyond that it is cheaper that the others let the whole node go and
/// hear of who is still there anew.
const MAX: usize = 4096;

#[derive(Debug)]
pub(crate) enum Farewells {
    Each(Vec<(RoomName, SessionId)>),
    TooMany,
}

impl Default for Farewells {
    fn default() -> Self {
        Self::Each(Vec::new())
    }
}

impl Farewells {
    pub(crate) fn add(&mut self, room: RoomName, session: SessionId) {
        match self {
            Self::Each(owed) if owed.len() < MAX => owed.push((room, session)),
            _ => *self = Self::TooMany,
        }
    }

    /// Owes these again, besides what has come since.
    pub(crate) fn put_back(&mut self, others: Self) {
        match others {
            Self::Each(owed) => owed
                .into_iter()
                .for_each(|(room, session)| self.add(room, session)),
            Self::TooMany => *self = Self::TooMany,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::NodeId;

    #[test]
    fn more_than_can_be_told_one_by_one_are_told_as_one() {
        let room = RoomName::new("room").expect("a name");
        let mut farewells = Farewells::default();
        for connection in 0..=MAX as u64 {
            assert!(matches!(farewells, Farewells::Each(_)));
            let node = NodeId::from_u64(1);
            farewells.add(room.clone(), SessionId { node, connection });
        }
        assert!(matches!(farewells, Farewells::TooMany));
        farewells = Farewells::default();
        farewells.put_back(Farewells::TooMany);
        assert!(matches!(farewells, Farewells::TooMany));
    }
}
