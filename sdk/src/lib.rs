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
mod policy;
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
// The front door: every item has one path, what belongs to one of these is a module away.
pub use self::{
    app::{
        App, AppBuilder, AppHandle, Deprecation, ErrorMapper, Group, Middleware, Next, Observer,
        Route, RouteSnapshot,
    },
    handler::{
        Channel, EventPeer, Events, Extension, Handler, HandlerOutput, HandlerResult, Inbound,
        Json, MessageMiddleware, Path, Query, State, Typed, TypedSender, WebSocket, WebSocketExt,
    },
    message::{
        BoxError, CloseCode, CloseFrame, CloseOutcome, ConnectionId, Error, ErrorKind, Initiator,
        InvalidClose, Issue, MAX_REASON_BYTES, Message, MessageKind, Phase, Result, SharedMessage,
        UnknownFrame,
    },
    policy::{
        Compression, Configure, DecodeAnswer, DecodeErrors, Limits, OriginPattern, OriginPolicy,
        Policy, PrincipalCap, RateLimit, RatePolicy, SlowClient, Subprotocols,
    },
    request::{Context, Principal, Response, TrustedProxies},
    session::{
        Counts, Delivery, Direction, Figures, Gap, Passed, Sender, SessionInfo, ShutdownOptions,
        ShutdownReport, Socket, Tap,
    },
};

/// What a handler takes out of a request, beside [`Path`], [`Query`], [`State`] and [`Extension`].
pub mod extract {
    pub use crate::handler::extract::{FromContext, FromSocket, Provided};
}

/// What a [`Channel`] consists of: events, their peers and their rates.
pub mod channel {
    #[cfg(feature = "asyncapi")]
    pub use crate::handler::channel::DocumentedFunction;
    #[cfg(feature = "validate")]
    pub use crate::handler::channel::Valid;
    pub use crate::handler::channel::{
        Call, ChannelPeer, Data, Envelope, Event, EventErrors, EventFunction, EventRate,
        EventSnapshot, FromCall, Held, OpenFunction,
    };
}

/// Messages to values and back, otherwise than by [`Json`].
pub mod codec {
    #[cfg(feature = "validate")]
    pub use crate::handler::codec::ValidJson;
    pub use crate::handler::codec::{Codec, invalid, unencodable, wrong_kind};
}

/// Middleware that is ready to use, and functions as [`Middleware`].
pub mod middleware {
    pub use crate::app::middleware::{
        Authenticate, Credential, MessageRate, Refusal, RequestId, RequestIdLayer, SetHeader,
        Trace, UpgradeRate, api_key, authenticator, bearer, cookie, from_fn, subprotocol_token,
    };
}

/// Observers that are ready to use, and what an [`Observer`] is told.
pub mod observer {
    pub use crate::app::observer::{Closed, Intervention, Log, Rejection};
    #[cfg(feature = "metrics")]
    pub use crate::app::observer::{HandlerTime, Metrics};
}

/// Answers for HTTP fallbacks and middleware.
pub mod response {
    pub use crate::request::response::{html, json, text};
}
