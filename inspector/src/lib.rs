//! A page for whoever runs a Wharf app: its sockets as they live, the slow ones first; connects,
//! rejections, messages and closes of the last minutes; events as they happen.
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
//! with a cookie must bring a word besides that only the page knows. And the route's origin policy
//! holds, as on every route: pages of other origins are refused.

mod action;
mod door;
mod inspector;
mod look;
mod page;
mod tell;
mod watch;

pub use self::{
    action::{Acted, Action},
    inspector::{Guarded, Inspector, NoDoor},
};
