//! What an app makes of errors.

use crate::{close::CloseFrame, error::Error, middleware::Response, upgrade::Context};

/// Turns errors into what the peer sees: a response before the upgrade, a close frame after it.
/// `None` leaves the default: a problem document, or the error's own frame or 1011.
pub trait ErrorMapper: Send + Sync + 'static {
    /// The response for an error before the upgrade.
    fn response(&self, error: &Error, context: &Context) -> Option<Response> {
        let _ = (error, context);
        None
    }

    /// The close frame for an error that a handler returned.
    fn close_frame(&self, error: &Error) -> Option<CloseFrame> {
        let _ = error;
        None
    }
}
