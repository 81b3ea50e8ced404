//! Code around every event.

use async_trait::async_trait;

use super::call::Call;
use crate::message::{Error, Result};

/// Runs around every event's function. First added is outermost: its `before` runs first, its
/// `after` last.
///
/// ```
/// use wharf_sdk::{Channel, Error, Result, async_trait, channel::{Call, EventMiddleware}};
///
/// struct Opened;
///
/// #[async_trait]
/// impl EventMiddleware for Opened {
///     async fn before(&self, call: &Call) -> Result<()> {
///         match call.name() {
///             "bid" if auction_is_over() => Err(Error::handler("the auction is over")),
///             _ => Ok(()),
///         }
///     }
/// }
/// # fn auction_is_over() -> bool { false }
///
/// let channel = Channel::new().middleware(Opened);
/// # let _ = channel;
/// ```
#[async_trait]
pub trait EventMiddleware: Send + Sync + 'static {
    /// Before the function, behind scopes and rates.
    ///
    /// # Errors
    ///
    /// What refuses the event: the peer is told, the function does not run, and neither do the
    /// `after`s of this middleware and of those further in.
    async fn before(&self, call: &Call) -> Result<()> {
        let _ = call;
        Ok(())
    }

    /// Behind the function, with what came of it.
    async fn after(&self, call: &Call, outcome: Result<(), &Error>) {
        let _ = (call, outcome);
    }
}
