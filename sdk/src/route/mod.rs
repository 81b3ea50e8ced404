//! Routes, groups and the app that holds them.

mod app;
mod builder;
mod definition;
mod handle;
mod mapper;
mod matcher;
#[cfg(any(test, fuzzing))]
pub(crate) mod properties;
mod snapshot;

pub(crate) use self::app::{AppInner, RouteEntry};
pub use self::{
    app::App,
    builder::AppBuilder,
    definition::{Group, Route},
    handle::AppHandle,
    mapper::ErrorMapper,
    snapshot::RouteSnapshot,
};
