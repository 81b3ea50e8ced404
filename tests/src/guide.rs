//! How to write a driver.
//!
//! A driver carries: requests to the core, bytes to the session. It decides nothing. What a request
//! is answered with, what is selected, limited, closed and timed is the core's, or it could not be
//! the same everywhere; a driver that has to decide something means that the core is missing it.
//! The two in this repository have well under a thousand lines each, and most of those are for the
//! frameworks' own sockets and servers.
//!
//! # What a driver owes
//!
//! 1. **The request as it came.** Every header line in order, the raw path (without the prefix
//!    under which the app is mounted, which is the router's to strip), the address of the peer. Plain
//!    requests too: fallbacks and refusals are the core's. A body that a request announces has been
//!    read or refused before the next request.
//! 2. **The response as it is.** [`App::decide`] returns either a response, or an [`Upgrade`] whose
//!    [`response`](wharf_sdk::driver::Upgrade::response) is the whole 101: no header is added but those
//!    that HTTP itself asks for (`Date`, `Content-Length`), and none is lost.
//! 3. **The connection.** Behind the 101 the session runs over what the framework hands over, bytes
//!    that it read ahead included. If nothing is handed over, [`Upgrade::fail`] says so to the
//!    observers. Dropping the session's future ends it and releases what it held: nothing else has
//!    to be cleaned up.
//! 4. **Honest [`Capabilities`].** They are the only thing that cases and applications may ask. Where a
//!    driver has sockets over HTTP/2 (`extended_connect`), it tells the core the `:protocol` of a
//!    CONNECT, and its host implements [`Running::connect_http2`](crate::Running::connect_http2): the
//!    cases of `extended_connect` begin there.
//!
//! # Bytes, or messages
//!
//! Give the session bytes if the framework lets you: [`WireTransport`] makes a transport of
//! anything that reads and writes. Frames, limits, UTF-8, the order of violations and valid
//! messages, and the end of the connection are then right already.
//!
//! Where only messages can be had, implement [`Transport`] yourself. Its documentation is the list
//! of what it owes; the rows that libraries break most often are these: valid messages come before
//! a violation that arrived with them, a message is refused before it is held, pings are not
//! answered behind the session's back, what the library has no name for comes as
//! [`Message::Unknown`](wharf_sdk::Message::Unknown), and the last frame is not lost to a reset.
//! A transport of your own that compresses nothing takes the promise out of the 101 before it is
//! sent: [`Upgrade::without_deflate`](wharf_sdk::driver::Upgrade::without_deflate), and declares
//! `with_compression(false)`.
//!
//! A transport may be tied to its thread: the session has no `Send` bound of its own.
//!
//! # A driver
//!
//! ```no_run
//! mod my_driver {
//!     use std::{future::Future, io, net::SocketAddr};
//!
//!     use futures::StreamExt;
//!     use tokio::io::{AsyncRead, AsyncWrite};
//!     use wharf_sdk::{App, Bytes, driver::{Capabilities, Connection, Decision, UpgradeRequest}, http};
//!
//!     pub const CAPABILITIES: Capabilities = Capabilities::wire("mine");
//!
//!     /// Answers one request. `connection` is what the framework hands over once the 101 has
//!     /// left, with the bytes that it read ahead.
//!     pub async fn handle<IO>(
//!         app: &App,
//!         request: http::Request<()>,
//!         peer: SocketAddr,
//!         connection: impl Future<Output = io::Result<(IO, Bytes)>> + Send + 'static,
//!     ) -> http::Response<Bytes>
//!     where
//!         IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
//!     {
//!         let (head, ()) = request.into_parts();
//!         let head = UpgradeRequest {
//!             method: head.method,
//!             uri: head.uri,
//!             mount: String::new(),
//!             version: head.version,
//!             headers: head.headers,
//!             peer: Some(peer),
//!             is_secure: false,
//!             protocol: None,
//!             extensions: Default::default(),
//!         };
//!         let upgrade = match app.decide(head, CAPABILITIES.driver).await {
//!             Decision::Respond(response) => return response,
//!             // Give this a body that goes on, or collect it, as here.
//!             Decision::Stream(response) => {
//!                 let (head, events) = response.into_parts();
//!                 let body: Vec<Bytes> = events.collect().await;
//!                 return http::Response::from_parts(head, body.concat().into());
//!             }
//!             Decision::Upgrade(upgrade) => upgrade,
//!         };
//!         let response = upgrade.response().clone().map(|()| Bytes::new());
//!         tokio::spawn(async move {
//!             match connection.await {
//!                 Ok((io, early)) => {
//!                     let connection = Connection::new(io).with_early(early);
//!                     upgrade.connect(connection).await;
//!                 }
//!                 Err(error) => upgrade.fail(error),
//!             }
//!         });
//!         response
//!     }
//! #   pub struct Server;
//! #   impl Server {
//! #       pub fn local_addr(&self) -> SocketAddr { unimplemented!() }
//! #       pub async fn run(self) {}
//! #   }
//! #   pub async fn bind(_: App, _: &str) -> io::Result<Server> { unimplemented!() }
//! }
//!
//! // In a test file of the driver's: all of the contract, and random rounds beside the reference.
//! use wharf_conformance::{Host, Running, TcpServer, async_trait, differential::Differential};
//! use wharf_sdk::{App, driver::Capabilities};
//!
//! struct MyHost;
//!
//! #[async_trait]
//! impl Host for MyHost {
//!     fn capabilities(&self) -> Capabilities {
//!         my_driver::CAPABILITIES
//!     }
//!
//!     async fn serve(&self, app: App) -> Box<dyn Running> {
//!         let start = async move || {
//!             let server = my_driver::bind(app, "127.0.0.1:0").await.expect("a free port");
//!             (server.local_addr(), server.run())
//!         };
//!         Box::new(TcpServer::start(start).await)
//!     }
//! }
//!
//! wharf_conformance::conformance!(MyHost);
//!
//! #[test]
//! fn random_rounds() {
//!     Differential::new().check(&[("mine", &MyHost)]);
//! }
//! # fn main() {}
//! ```
//!
//! A whole one is in this package's tests, against all of this: `tests/own_driver` the driver, and
//! `tests/surfacing_transport` a transport of its own. It runs in memory and under paused time: then
//! timers take none, and the suite two seconds.
//!
//! # What cases ask
//!
//! | capability | where it is missing |
//! |---|---|
//! | `native` | asking for the framework's socket is a typed error, and the socket goes on |
//! | `unknown_frames` | a frame without a name is a violation, 1002 |
//! | `abort` | a connection whose peer does not read ends when the framework gives it up; what a peer sends behind the end is not discarded |
//!
//! A case that fails says what it expected and what came. [`differential`](crate::differential)
//! says which round to play again, and leaves of it what is needed.
//!
//! # Prefixes, shutdown, alone
//!
//! Mounted under a prefix, a driver passes on the rest of the path, and the prefix's pattern as
//! [`UpgradeRequest::mount`](wharf_sdk::driver::UpgradeRequest::mount); run the suite in that form too,
//! as `NestedAxumHost` and `ScopedActixHost` do. Shutdown is the app's:
//! [`AppHandle::shutdown`](wharf_sdk::AppHandle::shutdown) ends the sessions, and a server of the
//! driver's own ends behind it. Such a server sets `TCP_NODELAY`, does not read ahead of a session
//! that does not read, and bounds every connection that is no socket: in time (heads, bodies that
//! never come, answers that nobody reads) and in number, sockets included. The program `hostile`
//! attacks it.
//!
//! [`App::decide`]: wharf_sdk::App::decide
//! [`Capabilities`]: wharf_sdk::driver::Capabilities
//! [`Transport`]: wharf_sdk::driver::Transport
//! [`Upgrade`]: wharf_sdk::driver::Upgrade
//! [`Upgrade::fail`]: wharf_sdk::driver::Upgrade::fail
//! [`WireTransport`]: wharf_sdk::driver::WireTransport
