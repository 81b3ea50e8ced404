//! hyper's types to Wharf's and back.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use futures::{StreamExt, stream::Map};
use http::{Response, request::Parts};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::Frame;
use wharf_sdk::driver::{EventStreamBody, UpgradeRequest};

/// What a request does not say about its connection: an extension of requests, inserted by whoever
/// accepts connections.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConnectionInfo {
    /// The address at the other end.
    pub peer: Option<SocketAddr>,
    /// Whether the connection is TLS.
    pub is_secure: bool,
}

pub(crate) fn to_upgrade_request(parts: Parts) -> UpgradeRequest {
    let info = parts.extensions.get::<ConnectionInfo>().copied();
    let ConnectionInfo { peer, is_secure } = info.unwrap_or_default();
    #[cfg(feature = "http2")]
    let protocol = parts.extensions.get::<hyper::ext::Protocol>();
    #[cfg(feature = "http2")]
    let protocol = protocol.map(|protocol| protocol.as_str().to_owned());
    #[cfg(not(feature = "http2"))]
    let protocol = None;
    UpgradeRequest {
        method: parts.method,
        uri: parts.uri,
        mount: String::new(),
        version: parts.version,
        headers: parts.headers,
        peer,
        is_secure,
        protocol,
        extensions: parts.extensions,
    }
}

/// The body of an answer: whole, or a stream of server-sent events.
pub type Body = Either<Full<Bytes>, StreamBody<EventFrames>>;

/// The pieces of a stream of server-sent events.
pub type EventFrames = Map<EventStreamBody, fn(Bytes) -> Result<Frame<Bytes>, Infallible>>;

pub(crate) fn full(response: Response<Bytes>) -> Response<Body> {
    response.map(|body| Either::Left(Full::new(body)))
}

pub(crate) fn streamed(response: Response<EventStreamBody>) -> Response<Body> {
    response.map(|events| {
        let frames: EventFrames = events.map(|bytes| Ok(Frame::data(bytes)));
        Either::Right(StreamBody::new(frames))
    })
}
