//! The in-memory host: the same upgrade, middleware, policies and session as on a server, without
//! a network, and under paused time if a test wants it. The top floor.
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
//!
//! | a test wants to | |
//! |---|---|
//! | prepare a connection | [`TestHost::connect`], then [`origin`](Connect::origin), [`protocols`](Connect::protocols), [`bearer`](Connect::bearer), [`header`](Connect::header), [`peer`](Connect::peer), and `.await` |
//! | see it refused | [`Connect::expect_rejected`] |
//! | send a plain request | [`TestHost::http`] and [`Connect::send`] |
//! | talk | [`TestSocket`]: `send_…`, `expect_…`, [`ping`](TestSocket::ping), [`close`](TestSocket::close) |
//! | be a bad peer | [`stop_reading`](TestSocket::stop_reading), [`stall`](TestSocket::stall), [`read_slowly`](TestSocket::read_slowly), [`resume`](TestSocket::resume), [`vanish`](TestSocket::vanish), [`violate`](TestSocket::violate), [`without_pongs`](Connect::without_pongs) |
//! | see what observers were told | [`Recorder`] |
//! | let hours pass | `#[tokio::test(start_paused = true)]` (tokio's feature `test-util`) and `tokio::time::sleep` |

mod channel;
mod client;
mod connect;
mod expect;
mod fault;
mod host;
mod inbox;
mod line;
mod pings;
mod record;

pub use self::{
    channel::RequestId,
    client::TestSocket,
    connect::{Connect, Rejected},
    fault::Violation,
    host::{Answer, DRIVER, TestHost},
    record::{Event, Recorder},
};
