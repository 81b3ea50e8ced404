//! The core of Wharf: everything that is not a framework.
//!
//! Most people want the `wharf` crate, which re-exports this one and adds the drivers. Depend on
//! this crate to write a driver (see [`driver`]), a middleware or an observer.
//!
//! The folders are floors: each imports only from those below it, and `.ci/floors` checks that.

// From the ground up.
mod app;
pub mod driver;
mod handler;
mod message;
pub mod policy;
mod request;
mod session;
#[cfg(feature = "testing")]
pub mod testing;
mod wire;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod properties;

#[doc(hidden)]
pub use self::handler::debug as __debug;
pub use async_trait::async_trait;
pub use bytes::Bytes;
pub use bytestring::ByteString;
pub use http;

#[cfg(feature = "asyncapi")]
pub use self::app::asyncapi;
pub use self::{
    app::{
        App, AppBuilder, AppHandle, Deprecation, ErrorMapper, Group, Middleware, Next, Observer,
        Route, RouteSnapshot, middleware, observer,
    },
    driver::serve::StopSignals,
    handler::{
        Channel, EventPeer, Events, Extension, Handler, HandlerOutput, HandlerResult, Inbound,
        Json, MessageMiddleware, Path, Query, State, Typed, TypedSender, WebSocket, WebSocketExt,
        channel, codec, extract,
    },
    message::{
        BoxError, CloseCode, CloseFrame, CloseOutcome, ConnectionId, Error, ErrorKind, Initiator,
        InvalidClose, Issue, MAX_REASON_BYTES, Message, MessageKind, Phase, Result, SharedMessage,
        UnknownFrame,
    },
    policy::{
        Compression, Configure, DecodeErrors, Limits, OriginPolicy, Policy, PrincipalCap,
        RateLimit, RatePolicy, SlowClient, Subprotocols,
    },
    request::{Context, Principal, Response, TrustedProxies, response},
    session::{
        Counts, Delivery, Direction, Figures, Gap, Passed, Sender, SessionInfo, ShutdownOptions,
        ShutdownReport, Socket, Tap,
    },
};
