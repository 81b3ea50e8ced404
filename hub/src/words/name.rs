//! What rooms are called.

use std::{fmt, ops::Deref, sync::Arc};

use wharf_sdk::{Error, ErrorKind, Result};

/// The longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 256;

/// A room's name: 1 to 256 bytes without control characters. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomName(Arc<str>);

impl RoomName {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// `WHARF_ROOM_NAME`: it is empty, too long, or has control characters.
    pub fn new(name: impl AsRef<str>) -> Result<Self> {
        let name = name.as_ref();
        let wrong = if name.is_empty() {
            "is empty"
        } else if name.len() > MAX_NAME_BYTES {
            "is over 256 bytes long"
        } else if name.chars().any(char::is_control) {
            "has control characters"
        } else {
            return Ok(Self(name.into()));
        };
        Err(Error::new(
            ErrorKind::InvalidInput,
            "WHARF_ROOM_NAME",
            format!("the room's name {wrong}; use 1 to 256 bytes of printable text"),
        ))
    }
}

impl Deref for RoomName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_printable() {
        assert!(RoomName::new("café 7/*.>{x}").is_ok());
        assert!(RoomName::new("x".repeat(256)).is_ok());
        for wrong in ["", "a\nb", "\u{7f}", "\u{85}", &"x".repeat(257)] {
            let error = RoomName::new(wrong).expect_err("not a name");
            assert_eq!(error.code(), "WHARF_ROOM_NAME");
        }
    }
}
