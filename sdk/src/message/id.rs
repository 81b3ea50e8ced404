//! Names of connections.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    str::FromStr,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use crate::message::error::{Error, ErrorKind};

/// Identifies a connection: unique over all nodes, and never used again.
///
/// It sorts by the time at which the connection came, as a value and as text, and is written as 20
/// letters and digits without those that are easily taken for each other.
///
/// ```
/// # use wharf_sdk::ConnectionId;
/// let id: ConnectionId = "06bvq2h0m40000g7k2ns".parse()?;
/// assert_eq!(id.to_string(), "06bvq2h0m40000g7k2ns");
/// # Ok::<(), wharf_sdk::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    // Two numbers, since one would have to begin at every second word.
    high: u64,
    low: u64,
}

/// Crockford's base 32: sorted as ASCII is, without i, l, o and u.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 20;

/// How many of the id's 100 bits tell nodes apart. The others are of the time in milliseconds, and
/// below it of a count.
const NODE_BITS: u32 = 36;
const COUNT_BITS: u32 = 21;

impl ConnectionId {
    pub(crate) fn next() -> Self {
        // Grows with every id, and with the clock as long as that goes forward.
        static LAST: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let millis = now.map_or(0, |now| now.as_millis() as u64);
        let by_clock = millis << COUNT_BITS;
        let grow = |last: u64| Some(by_clock.max(last + 1));
        let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grow);
        let stamp = by_clock.max(last.unwrap_or_default() + 1);
        Self::from_u128(u128::from(stamp) << NODE_BITS | u128::from(node()))
    }

    /// The number.
    pub fn as_u128(self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }

    fn from_u128(id: u128) -> Self {
        Self {
            high: (id >> 64) as u64,
            low: id as u64,
        }
    }

    /// What is left of it within its process: still unique there.
    pub fn as_u64(self) -> u64 {
        (self.as_u128() >> NODE_BITS) as u64
    }
}

/// What tells this process from others: random, of the system's making.
fn node() -> u64 {
    static NODE: OnceLock<u64> = OnceLock::new();
    *NODE.get_or_init(|| RandomState::new().hash_one(std::process::id()) >> (64 - NODE_BITS))
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; LENGTH];
        for (at, digit) in text.iter_mut().rev().enumerate() {
            *digit = DIGITS[(self.as_u128() >> (5 * at)) as usize & 31];
        }
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl FromStr for ConnectionId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let digit = |byte| DIGITS.iter().position(|digit| *digit == byte);
        let add = |id: u128, byte| Some(id << 5 | digit(byte)? as u128);
        let id = match text.len() {
            LENGTH => text.bytes().try_fold(0, add),
            _ => None,
        };
        id.map(Self::from_u128).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "WHARF_CONNECTION_ID",
                "this is no connection id; they are 20 letters and digits",
            )
        })
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_their_texts_sort_as_they_do() {
        let ids: Vec<_> = (0..1000).map(|_| ConnectionId::next()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        let texts: Vec<_> = ids.iter().map(ToString::to_string).collect();
        assert!(texts.is_sorted_by(|a, b| a < b));
        assert!(texts.iter().all(|text| text.len() == LENGTH));
    }

    #[test]
    fn a_text_is_its_id_and_nothing_else_is() {
        let id = ConnectionId::next();
        assert_eq!(id.to_string().parse::<ConnectionId>().expect("an id"), id);
        for text in [
            "",
            "1",
            "06bvq2h0m40000g7k2nu",
            "06bvq2h0m40000g7k2ns0",
            "é",
        ] {
            let error = text.parse::<ConnectionId>().expect_err("no id");
            assert_eq!(error.code(), "WHARF_CONNECTION_ID");
        }
    }
}
