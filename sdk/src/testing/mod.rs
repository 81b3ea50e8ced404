//! The in-memory host: the same upgrade, middleware, policies and session as on a server, without
//! a network, and under paused time if a test wants it.
//!
//! ```
//! # use wharf_sdk::{App, Route, Socket, testing::TestHost};
//! # async fn greet(mut socket: Socket) -> wharf_sdk::Result<()> {
//! #     socket.write("welcome").await
//! # }
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() {
//!     let app = App::builder().route(Route::new("/greet", greet)).build().expect("valid");
//!     let host = TestHost::new(app);
//!
//!     let mut client = host.connect("/greet").await;
//!     client.expect_text("welcome").await;
//!     client.expect_close(1000).await;
//!
//!     host.connect("/missing").expect_rejected(404).await;
//! }
//! ```

mod client;
mod connect;
mod host;
mod record;

pub use self::{
    client::TestSocket,
    connect::{Connect, Rejected},
    host::{Answer, DRIVER, TestHost},
    record::{Event, Recorder},
};
