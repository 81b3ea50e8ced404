//! How many connections a principal has.

use crate::message::CloseFrame;

/// How many connections of one principal a route takes at once, and what happens beyond that.
///
/// ```
/// use wharf_sdk::{CloseFrame, PrincipalCap, Route, Socket};
/// # async fn editor(_: Socket) {}
/// # fn main() -> wharf_sdk::Result<()> {
///
/// let moved = CloseFrame::new(4009, "you connected elsewhere")?;
/// let route = Route::new("/editor", editor)
///     .require_auth()
///     .connections_per_principal(PrincipalCap::newest_wins(1, moved));
/// # let _ = route;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalCap {
    pub(crate) max: usize,
    /// What the oldest are closed with; `None` refuses the newest.
    pub(crate) closes_oldest: Option<CloseFrame>,
}

impl PrincipalCap {
    /// Takes this many, at least one; those that come beyond it are refused with 503.
    pub fn refuse(max: usize) -> Self {
        Self {
            max: max.max(1),
            closes_oldest: None,
        }
    }

    /// Takes this many, at least one; one that comes beyond it closes the oldest with this frame.
    pub fn newest_wins(max: usize, frame: CloseFrame) -> Self {
        Self {
            max: max.max(1),
            closes_oldest: Some(frame),
        }
    }
}
