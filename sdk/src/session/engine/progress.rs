//! Slow peers and dead ones: both are silent between messages, and one of them within a message
//! too.

use std::time::Duration;

use super::{rare::Rare, state::Engine};
use crate::wire::Unfinished;

/// A message that arrives at this rate is under way. Slower than that is silence: a peer that sends
/// a byte now and then holds no connection.
const SLOWEST_BYTES_PER_SECOND: u128 = 512;

impl Engine {
    /// Remembers what a timer sees of a message under way, and says what it last saw.
    pub(super) fn mark(
        &mut self,
        of_timer: impl Fn(&mut Rare) -> &mut Unfinished,
        unfinished: Unfinished,
    ) -> Unfinished {
        let is_under_way = unfinished != Unfinished::default();
        if self.rare.is_none() && !is_under_way {
            // Mostly there is none.
            return Unfinished::default();
        }
        std::mem::replace(of_timer(self.rare()), unfinished)
    }
}

/// Whether a message under way has grown enough since `mark` was made, a `period` ago.
pub(super) fn has_grown(mark: Unfinished, now: Unfinished, period: Duration) -> bool {
    // What is smaller now is another message.
    let grown = match now.bytes.checked_sub(mark.bytes) {
        Some(grown) => grown,
        None => now.bytes,
    };
    u128::from(grown) * 1000 >= (SLOWEST_BYTES_PER_SECOND * period.as_millis()).max(1000)
}

/// The same, where another complete fragment is enough: there is a limit to their number.
pub(super) fn has_advanced(mark: Unfinished, now: Unfinished, period: Duration) -> bool {
    now.fragments > mark.fragments || has_grown(mark, now, period)
}
