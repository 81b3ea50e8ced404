//! What asks to become a socket: the request, what middleware learned from it, and HTTP answers.
//!
//! This floor stands on `message/`, `policy/` and `session/`.

mod context;
mod head;
mod params;
mod principal;
mod problem;
pub(crate) mod response;

pub use self::{
    context::Context,
    head::{TrustedProxies, UpgradeRequest},
    principal::Principal,
    response::Response,
};
pub(crate) use self::{head::single, params::Params, problem::response as problem_response};
