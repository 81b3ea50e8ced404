//! Names of nodes, sessions and places in a history.

use std::{fmt, num::ParseIntError, str::FromStr, time::SystemTime};

use wharf_sdk::{ConnectionId, Error, ErrorKind};

/// One process on the bus: unique, and never used again. Ids sort by when their node began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u64);

impl NodeId {
    /// Makes a new one: milliseconds, and 20 random bits.
    pub fn random() -> Self {
        let since_1970 = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let milliseconds = u64::try_from(since_1970.as_millis()).unwrap_or_default();
        Self(milliseconds << 20 | fastrand::u64(..1 << 20))
    }

    /// The node with this number.
    pub fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

impl FromStr for NodeId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// A session, unique over all nodes: its node and its connection there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    /// The node that it is connected to.
    pub node: NodeId,
    /// The connection's number on that node.
    pub connection: u64,
}

impl SessionId {
    pub(crate) fn new(node: NodeId, connection: ConnectionId) -> Self {
        Self {
            node,
            connection: connection.as_u64(),
        }
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:x}", self.node, self.connection)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

impl FromStr for SessionId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = text.split_once('-').and_then(|(node, connection)| {
            Some(Self {
                node: node.parse().ok()?,
                connection: u64::from_str_radix(connection, 16).ok()?,
            })
        });
        parsed.ok_or_else(|| malformed("a session id is a node and a connection, as in 1f-2a"))
    }
}

/// A place in a room's history: everything up to it has been heard.
///
/// It is written `epoch:offset`, which is what a client keeps and comes back with. Offsets grow;
/// the epoch changes when the history was lost, and then nothing can be resumed from before.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Which history.
    pub epoch: u64,
    /// The place in it; 0 is before the first message.
    pub offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}:{}", self.epoch, self.offset)
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Position({self})")
    }
}

impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = text.split_once(':').and_then(|(epoch, offset)| {
            Some(Self {
                epoch: u64::from_str_radix(epoch, 16).ok()?,
                offset: offset.parse().ok()?,
            })
        });
        parsed.ok_or_else(|| malformed("a position is an epoch and an offset, as in 5f3a:17"))
    }
}

fn malformed(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, "WHARF_HUB_ID", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let session = SessionId {
            node: NodeId::random(),
            connection: 42,
        };
        assert_eq!(session.to_string().parse::<SessionId>().ok(), Some(session));
        let position = Position {
            epoch: u64::MAX,
            offset: 17,
        };
        assert_eq!(
            position.to_string().parse::<Position>().ok(),
            Some(position)
        );
        for wrong in ["", ":", "1", "x:1", "1:x", "1:-1", "1:99999999999999999999"] {
            assert!(wrong.parse::<Position>().is_err(), "{wrong:?}");
        }
    }
}
