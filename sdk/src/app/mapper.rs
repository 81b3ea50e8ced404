//! What an app makes of errors.

use crate::{
    message::{CloseFrame, Error},
    request::{Context, Response},
};

/// Turns errors into what the peer sees: a response before the upgrade, a close frame after it.
/// `None` leaves the default: a problem document, or the error's own frame or 1011. A mapper that
/// panics, or answers with 1xx, is passed by.
///
/// ```
/// use wharf_sdk::{Context, Error, ErrorMapper, Response, http::StatusCode, response};
/// # use wharf_sdk::{App, Result, testing::TestHost};
///
/// /// Plain text instead of problem documents.
/// struct Plain;
///
/// impl ErrorMapper for Plain {
///     fn response(&self, error: &Error, _: &Context) -> Option<Response> {
///         Some(response::text(error.status(), error.code().to_owned()))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let app = App::builder().map_errors(Plain).build()?;
/// let rejected = TestHost::new(app).connect("/nowhere").expect_rejected(404).await;
/// assert_eq!(&rejected.response.body()[..], b"WHARF_NOT_FOUND");
/// # Ok(())
/// # }
/// ```
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
