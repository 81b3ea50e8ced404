//! What a route allows: limits, timers, origins, subprotocols, compression.
//!
//! A [`Policy`] is a set of settings, each given or not. Apps, groups and routes each have one;
//! what a route leaves open it inherits from its group, then from the app, then from the defaults
//! named here. [`Limits`] is the result, complete and checked when the app is built.
//!
//! This floor stands on `message/`.

mod auth;
pub(crate) mod compression;
mod decode;
mod keyed_rate;
mod limits;
mod origin;
mod principal_cap;
#[cfg(any(test, fuzzing))]
pub(crate) mod properties;
mod rate;
mod settings;
mod slow_client;
mod subprotocol;

pub(crate) use self::{
    auth::AuthRule, compression::parse_extensions, keyed_rate::KeyedRate, limits::LONGEST,
    origin::RequestOrigin, rate::Bucket, subprotocol::parse_offers,
};
pub use self::{
    compression::{Compression, DeflateParams, DeflateSide},
    decode::{DecodeAnswer, DecodeErrors},
    limits::Limits,
    origin::{OriginPattern, OriginPolicy},
    principal_cap::PrincipalCap,
    rate::{RateLimit, RatePolicy},
    settings::{Configure, Policy},
    slow_client::SlowClient,
    subprotocol::Subprotocols,
};
