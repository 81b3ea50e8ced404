//! The app as a handler's argument.

use crate::{
    app::{app::AppInner, handle::AppHandle},
    handler::extract::FromContext,
    message::{Error, ErrorKind, Result},
    request::Context,
};

/// The app that the handler belongs to.
///
/// ```
/// use wharf_sdk::{App, AppHandle, Result, Route, Socket, testing::TestHost};
///
/// async fn count(app: AppHandle, mut socket: Socket) -> Result<()> {
///     socket.write(format!("{} connected", app.connections())).await
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// # let app = App::builder().route(Route::new("/", count)).build()?;
/// # TestHost::new(app).connect("/").await.expect_text("1 connected").await;
/// # Ok(())
/// # }
/// ```
impl FromContext for AppHandle {
    async fn from_context(context: &Context) -> Result<Self> {
        let app = context.app().cloned();
        let inner = app.and_then(|app| app.downcast::<AppInner>().ok());
        inner.map(|inner| Self { inner }).ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                "WHARF_NO_APP",
                "a client's socket belongs to no app; take AppHandle in a server's handler",
            )
        })
    }
}
