//! What runs on a socket: handlers, what they take, and the forms in which they read and write.
//!
//! This floor stands on `session/` and `request/`.

pub mod channel;
pub mod codec;
#[cfg(feature = "asyncapi")]
mod documented;
mod event_snapshot;
mod events;
mod ext;
pub mod extract;
mod function;
mod path;
mod typed;
mod websocket;

#[cfg(feature = "asyncapi")]
pub use self::documented::Speaks;
#[cfg(feature = "asyncapi")]
pub(crate) use self::documented::Type;
pub(crate) use self::function::{AnyHandler, erase};
pub use self::{
    channel::Channel,
    codec::Json,
    events::{EventPeer, Events},
    ext::WebSocketExt,
    extract::{Extension, Path, Query, State},
    function::{Handler, HandlerOutput, HandlerResult, Prepared},
    typed::{Typed, TypedSender},
    websocket::WebSocket,
};
