//! What decides: routes, groups, the app that holds them, what runs around an upgrade and what is
//! told of it.
//!
//! This floor stands on all below it; `driver/` and `testing/` stand on it.

#[allow(clippy::module_inception, reason = "the folder is about it")]
mod app;
#[cfg(feature = "asyncapi")]
pub mod asyncapi;
mod builder;
mod definition;
mod deprecation;
mod entry;
mod extract;
mod handle;
mod mapper;
mod matcher;
pub(crate) mod middleware;
pub(crate) mod observer;
#[cfg(any(test, fuzzing))]
pub(crate) mod properties;
mod reverify;
mod snapshot;
pub(crate) mod upgrade;

pub use self::{
    app::App,
    builder::AppBuilder,
    definition::{Group, Route},
    deprecation::Deprecation,
    handle::AppHandle,
    mapper::ErrorMapper,
    middleware::{Middleware, Next},
    observer::Observer,
    snapshot::RouteSnapshot,
    upgrade::{Decision, Place, Upgrade, accept_key},
};
