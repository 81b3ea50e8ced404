#![doc = include_str!("tour.md")]
// The guides shadow `wharf` with a module to have both drivers under one name.
#![doc(test(no_crate_inject))]

mod front;
pub mod guide;

pub use wharf_sdk::*;

pub use self::front::{bind, serve};

/// The axum driver: servers, and mounting into a router that exists already.
#[cfg(feature = "axum")]
#[doc(inline)]
pub use wharf_axum as axum;

/// A page that shows the app's sockets as they live.
#[cfg(feature = "inspector")]
pub use wharf_inspector as inspector;

/// The actix driver: servers, and mounting into an application that exists already.
#[cfg(feature = "actix")]
#[doc(inline)]
pub use wharf_actix as actix;

/// The hyper driver: servers without a framework, and a service for whatever stands on hyper.
#[cfg(feature = "hyper")]
#[doc(inline)]
pub use wharf_hyper as hyper;

/// The same socket from the side that dials: `connect`, handlers, and links that come back.
#[cfg(feature = "client")]
#[doc(inline)]
pub use wharf_client as client;

/// Rooms, presence and history, over one process or many.
#[cfg(feature = "hub")]
pub use wharf_hub as hub;

/// A hub's bus over Redis or Valkey, alone or as a cluster.
#[cfg(feature = "redis")]
pub use wharf_redis as redis;

/// A hub's bus over NATS.
#[cfg(feature = "nats")]
pub use wharf_nats as nats;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/seen-from-outside.md")]
struct SeenFromOutside;

/// What handlers call without naming it, and names that axum, actix-web and tokio do not have:
/// `use wharf::prelude::*` beside `use wharf::{App, Result, Route}` and whatever else is named.
pub mod prelude {
    pub use wharf_sdk::{
        Channel, Configure, Events, HandlerResult, Principal, Socket, Typed, WebSocket as _,
        WebSocketExt,
    };
}
