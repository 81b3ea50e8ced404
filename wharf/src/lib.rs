#![doc = include_str!("../README.md")]

mod front;

pub use wharf_sdk::*;

pub use self::front::{bind, serve};

/// The axum driver: servers, and mounting into a router that exists already.
#[cfg(feature = "axum")]
pub use wharf_axum as axum;

/// The actix driver: servers, and mounting into an application that exists already.
#[cfg(feature = "actix")]
pub use wharf_actix as actix;

/// What most programs use.
pub mod prelude {
    pub use wharf_sdk::{
        App, BoxError, Configure, Context, Error, Events, Extension, Group, Message, Middleware,
        Next, Observer, Path, Principal, Query, Response, Result, Route, Sender, Socket, State,
        Typed, WebSocket, WebSocketExt,
    };
}
