//! Coming from a framework's own WebSockets: the handler that was written by hand, beside the same
//! on Wharf. And which server to take, and going on to many machines.

#[doc = include_str!("from_axum.md")]
pub mod from_axum {}

#[doc = include_str!("from_actix_ws.md")]
pub mod from_actix_ws {}

#[doc = include_str!("scaling.md")]
pub mod scaling {}

#[doc = include_str!("servers.md")]
pub mod servers {}
