//! The core of Wharf: everything that is not a framework.
//!
//! Most people want the `wharf` crate, which re-exports this one and adds the drivers. Depend on
//! this crate to write a driver, a middleware or an observer.

mod auth;
mod close;
pub mod codec;
mod error;
mod events;
mod ext;
pub mod extract;
mod handler;
mod message;
pub mod middleware;
pub mod observer;
mod path_de;
pub mod policy;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod properties;
mod queue;
pub mod response;
mod route;
pub mod serve;
mod session;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transport;
mod typed;
pub mod upgrade;
mod websocket;
pub mod wire;

pub use async_trait::async_trait;
pub use bytes::Bytes;
pub use bytestring::ByteString;
pub use http;

pub use self::{
    auth::Principal,
    close::{CloseCode, CloseFrame, CloseOutcome, Initiator, MAX_REASON_BYTES},
    codec::{DecodeErrors, Json},
    error::{BoxError, Error, ErrorKind, Phase, Result},
    events::{Events, Peer},
    ext::WebSocketExt,
    extract::{Extension, Path, Query, State},
    handler::{Handler, HandlerOutput, Prepared},
    message::{Message, MessageKind, UnknownFrame},
    middleware::{Middleware, Next, Response},
    observer::Observer,
    policy::{
        Configure, Limits, OriginPolicy, Policy, RateLimit, RatePolicy, SlowClient, Subprotocols,
    },
    route::{App, AppBuilder, AppHandle, ErrorMapper, Group, Route, RouteSnapshot},
    session::{
        ConnectionId, Counts, Gap, Sender, Session, SessionInfo, ShutdownOptions, ShutdownReport,
        Socket,
    },
    transport::{Capabilities, Transport, Unfinished},
    typed::{Typed, TypedSender},
    upgrade::{Context, Decision, TrustedProxies, Upgrade, UpgradeRequest},
    websocket::WebSocket,
};
