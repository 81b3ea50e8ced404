//! The contract of Wharf as code: every row of it is a named case that runs on any driver.
//!
//! A driver joins with an implementation of [`Host`] and one line:
//!
//! ```no_run
//! # mod my_driver {
//! #     use std::{future::Future, net::SocketAddr};
//! #     pub struct Server;
//! #     impl Server {
//! #         pub fn local_addr(&self) -> SocketAddr { unimplemented!() }
//! #         pub async fn run(self) {}
//! #     }
//! #     pub async fn bind(_: wharf_sdk::App, _: &str) -> wharf_sdk::Result<Server> { unimplemented!() }
//! # }
//! use wharf_conformance::{Host, Running, TcpServer, async_trait};
//! use wharf_sdk::{App, driver::Capabilities};
//!
//! struct MyHost;
//!
//! #[async_trait]
//! impl Host for MyHost {
//!     fn capabilities(&self) -> Capabilities {
//!         Capabilities::wire("mine")
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
//! # fn main() {}
//! ```
//!
//! The macro expands to one test per case, in a module per section of the contract. No case asks
//! for a driver's name: where a driver lacks a [capability](wharf_sdk::driver::Capabilities), the case
//! asserts the polite refusal instead.
//!
//! The [`guide`] says how to write a driver, and [`differential`] plays random sessions on it
//! beside the reference.
//!
//! The [`fixture`] app, which most cases run against, is also a program for outside clients: the
//! binary `fixture` of this package.

#![allow(
    clippy::unwrap_used,
    reason = "what does not hold fails the case; a message is given where it helps"
)]

pub mod bus;
pub mod cases;
pub mod client;
pub mod contract;
pub mod differential;
pub mod fixture;
pub mod guide;
pub mod host;
pub mod hub_node;
mod site;
mod suite;

pub use wharf_sdk::async_trait;

pub(crate) use self::suite::__case_list;
pub use self::{
    client::Client,
    host::{
        Answer, Certificate, Host, MemoryHost, NativeUse, Request, Running, TcpServer, serve_named,
    },
    site::{Notes, NotesReader, Site},
    suite::{CASES, InProgress, check},
};

#[cfg(feature = "actix")]
pub use self::host::{ActixHost, ActixTlsHost, ScopedActixHost};
#[cfg(feature = "axum")]
pub use self::host::{AxumHost, AxumTlsHost, NestedAxumHost};
#[cfg(feature = "hyper")]
pub use self::host::{Http2Server, HyperHost, HyperHttp2Host, HyperTlsHost};
