//! Whatever happens to a session, in whatever order, it keeps its promises.
//!
//! [`Script`] makes a life up out of arbitrary bytes and plays it in turns, as the loop around the
//! engine does; [`Promises`] keeps its own, naive account of what the engine was told and compares
//! whatever the engine does with it.

mod life;
mod promises;
mod script;

use arbitrary::Unstructured;

use self::script::Script;

/// Plays an arbitrary life to its end: exactly one, with one outcome.
///
/// # Errors
///
/// When the bytes make no valid policy.
pub fn sessions_keep_their_promises(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mut script = Script::new(u)?;
    while !u.is_empty() && !script.life.is_over() {
        script.turn(u)?;
    }
    script.play_out(u)
}
