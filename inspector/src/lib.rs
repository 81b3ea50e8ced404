//! A page for whoever runs a Wharf app: its sockets as they live, the slow ones first, and one of
//! them followed message by message; its rooms; connects, rejections, messages and closes of the
//! last ten minutes; events as they happen.
//!
//! It is a route of the app itself, so it runs wherever the app does. The page is one file without
//! anything from another host, live over a socket of Wharf's own. With nobody watching, messages
//! cost nothing, and connections a few counters.
//!
//! ```
//! use wharf_inspector::{Action, Inspector};
//! use wharf_sdk::{App, Principal, Result};
//!
//! async fn verify(token: String) -> Result<Option<Principal>> {
//!     Ok((token == "letmein").then(|| Principal::new("alice").with_scopes(["ops"])))
//! }
//!
//! # fn main() -> Result<()> {
//! let inspector = Inspector::new("/inspect")
//!     .verified_by(verify)
//!     .require_scopes(["ops"])
//!     .allow(Action::CloseSession);
//! let app = inspector.mount(App::builder()).build()?;
//! # let _ = app;
//! # Ok(())
//! # }
//! ```
//!
//! Without saying who may see it, there is nothing to mount:
//!
//! ```compile_fail,E0599
//! use wharf_inspector::Inspector;
//! use wharf_sdk::App;
//!
//! let app = Inspector::new("/inspect").mount(App::builder());
//! ```
//!
//! # Who gets in
//!
//! A request brings its token as `Authorization: Bearer …`. Browsers do not send that by themselves:
//! who opens the page without it is asked for the token, and the page keeps it in a cookie that no
//! script reads and no other site sends. Since cookies come along unasked, the socket of a request
//! with a cookie must bring a word besides that only the page knows, and so must every browser where
//! the inspector is open to all. Pages of other origins are refused, whatever the app's policy is.
//!
//! # What it shows, and what it does
//!
//! Of messages, how large they are and of what kind; of what is in them only what
//! [`Contents`] allows, and never what looks like a secret. What is [allowed](Action) to be done is
//! told to the app's observers, with who did it.
//!
//! # What it costs
//!
//! While somebody watches, all sessions are looked at once a second, or less often where that would
//! take more than half a percent of a processor; then rates are of longer times. A session that is
//! followed has its messages noted as they pass. While nobody watches, a connection costs a few
//! counters when it begins and when it ends, and messages nothing: which is why the charts of
//! messages begin when somebody watches, and the others reach back ten minutes.

mod action;
mod contents;
mod door;
mod follow;
mod inspector;
mod look;
mod page;
mod rates;
#[cfg_attr(not(feature = "hub"), path = "no_rooms.rs")]
mod rooms;
mod secrets;
mod tell;
mod view;
mod watch;

pub use self::{
    action::Action,
    contents::Contents,
    inspector::{Guarded, Inspector, NoDoor},
};
