//! axum's types to Wharf's and back.

use std::net::SocketAddr;

use axum::{
    body::Body,
    extract::{ConnectInfo, NestedPath, OriginalUri},
};
use http::{Request, Response, Uri};
use wharf_sdk::driver::UpgradeRequest;

pub(crate) fn to_upgrade_request(request: &Request<Body>) -> UpgradeRequest {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    UpgradeRequest {
        method: request.method().clone(),
        uri: unprefixed_uri(request),
        version: request.version(),
        headers: request.headers().clone(),
        peer: peer.map(|ConnectInfo(peer)| *peer),
        // axum does not say; the app's `served_over_tls` does.
        is_secure: false,
        protocol: protocol(request),
        extensions: request.extensions().clone(),
    }
}

/// The `:protocol` of an extended CONNECT, where the server has HTTP/2.
#[cfg(feature = "http2")]
fn protocol(request: &Request<Body>) -> Option<String> {
    let protocol = request.extensions().get::<hyper::ext::Protocol>();
    protocol.map(|protocol| protocol.as_str().to_owned())
}

#[cfg(not(feature = "http2"))]
fn protocol(_: &Request<Body>) -> Option<String> {
    None
}

/// The URI as on the request line, less the prefixes of the routers around the app. axum's own
/// stripping would collapse a double slash behind the prefix.
fn unprefixed_uri(request: &Request<Body>) -> Uri {
    let extensions = request.extensions();
    let nested = extensions
        .get::<OriginalUri>()
        .zip(extensions.get::<NestedPath>());
    nested
        .and_then(|(OriginalUri(original), prefix)| {
            let segments = prefix.as_str().bytes().filter(|byte| *byte == b'/').count();
            UpgradeRequest::unprefixed(original, segments)
        })
        .unwrap_or_else(|| request.uri().clone())
}

pub(crate) fn from_response(response: Response<wharf_hyper::Body>) -> Response<Body> {
    response.map(Body::new)
}
