//! hyper's types to Wharf's and back.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Response, request::Parts};
use http_body_util::Full;
use wharf_sdk::driver::UpgradeRequest;

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
        version: parts.version,
        headers: parts.headers,
        peer,
        is_secure,
        protocol,
        extensions: parts.extensions,
    }
}

pub(crate) fn from_response(response: Response<Bytes>) -> Response<Full<Bytes>> {
    response.map(Full::new)
}
