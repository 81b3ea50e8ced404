//! What runs on a socket: handlers, what they take, and the forms in which they read and write.
//!
//! This floor stands on `session/` and `request/`.

mod blame;
pub(crate) mod channel;
pub(crate) mod codec;
pub mod debug;
#[cfg(feature = "asyncapi")]
mod documented;
mod event_snapshot;
mod events;
mod ext;
pub(crate) mod extract;
mod function;
mod message_rate;
mod middleware;
mod path;
mod prepared;
mod typed;
mod websocket;

#[cfg(feature = "asyncapi")]
pub use self::documented::Speaks;
#[cfg(feature = "asyncapi")]
pub(crate) use self::documented::Type;
pub use self::{
    channel::Channel,
    codec::Json,
    events::{EventPeer, Events},
    ext::WebSocketExt,
    extract::{Extension, Path, Query, State},
    function::{Handler, HandlerOutput, HandlerResult},
    message_rate::MessageRate,
    middleware::{Inbound, MessageMiddleware},
    prepared::Prepared,
    typed::{Typed, TypedSender},
    websocket::WebSocket,
};
pub(crate) use self::{
    function::{AnyHandler, erase},
    middleware::MessageStack,
};
