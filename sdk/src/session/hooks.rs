//! What a session asks of its app.

use std::time::Duration;

use super::{engine::Counts, info::SessionInfo, registry::Registry};
use crate::message::{CloseFrame, CloseOutcome, Error};

/// Who is told what happens in a session, and what becomes of a handler's error. The app.
pub(crate) trait SessionHooks: Send + Sync {
    /// Where an app finds its sessions; a client's are found by nobody.
    fn registry(&self) -> Option<&Registry>;

    /// The session begins.
    fn upgraded(&self, info: &SessionInfo);

    /// Something failed; the session may go on.
    fn failed(&self, info: &SessionInfo, error: &Error);

    /// The session has ended.
    fn closed(
        &self,
        info: &SessionInfo,
        outcome: &CloseOutcome,
        duration: Duration,
        counts: Counts,
    );

    /// The close frame that a handler's error asks for.
    fn close_frame_for(&self, error: &Error) -> CloseFrame;
}
