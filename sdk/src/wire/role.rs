//! The two sides of a connection.

use std::fmt;

use super::frame::Origin;

/// Makes the key of the next masked frame.
///
/// It must be unpredictable ([RFC 6455 §5.3](https://www.rfc-editor.org/rfc/rfc6455#section-5.3)):
/// whoever chooses a payload must not be able to choose the bytes on the wire.
pub type MaskKeys = fn() -> [u8; 4];

/// Which side of a connection speaks.
#[derive(Clone, Copy)]
pub enum Role {
    /// The one that was dialled: its frames are not masked.
    Server,
    /// The one that dialled: every frame of its is masked with a key of its own.
    Client(MaskKeys),
}

impl Role {
    /// The side whose frames this one decodes.
    pub(super) fn peer(self) -> Origin {
        match self {
            Self::Server => Origin::Client,
            Self::Client(_) => Origin::Server,
        }
    }

    /// The key of the next frame of this side, if it masks.
    #[inline]
    pub(super) fn next_key(self) -> Option<[u8; 4]> {
        match self {
            Self::Server => None,
            Self::Client(next) => Some(next()),
        }
    }

    /// Whether this side ends the connection before the other does: behind the close handshake the
    /// server does ([RFC 6455 §7.1.1](https://www.rfc-editor.org/rfc/rfc6455#section-7.1.1)).
    pub(super) fn ends_first(self) -> bool {
        matches!(self, Self::Server)
    }
}

impl fmt::Debug for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "Server",
            Self::Client(_) => "Client",
        })
    }
}
