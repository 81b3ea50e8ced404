//! axum's types to Wharf's and back.

use std::net::SocketAddr;

use axum::{
    body::Body,
    extract::{ConnectInfo, NestedPath, OriginalUri},
};
use http::{Request, Response, Uri};
use wharf_hyper::ConnectionInfo;
use wharf_sdk::driver::UpgradeRequest;

pub(crate) fn to_upgrade_request(request: &Request<Body>) -> UpgradeRequest {
    let extensions = request.extensions();
    let info = extensions.get::<ConnectionInfo>();
    // Somebody else's server tells no more than the address; the app's `served_over_tls` does.
    let told = extensions.get::<ConnectInfo<SocketAddr>>();
    let told = told.map(|ConnectInfo(peer)| *peer);
    UpgradeRequest {
        method: request.method().clone(),
        uri: unprefixed_uri(request),
        mount: mount(request),
        version: request.version(),
        headers: request.headers().clone(),
        peer: info.map_or(told, |info| info.peer),
        is_secure: info.is_some_and(|info| info.is_secure),
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

/// The prefixes of the routers around the app.
fn mount(request: &Request<Body>) -> String {
    let nested = request.extensions().get::<NestedPath>();
    nested.map_or_else(String::new, |prefix| {
        prefix.as_str().trim_end_matches('/').to_owned()
    })
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

/// Tells axum's handlers the address that the server found.
pub(crate) fn with_connect_info(mut request: Request<Body>) -> Request<Body> {
    let info = request.extensions().get::<ConnectionInfo>();
    if let Some(peer) = info.and_then(|info| info.peer) {
        request.extensions_mut().insert(ConnectInfo(peer));
    }
    request
}

pub(crate) fn from_response(response: Response<wharf_hyper::Body>) -> Response<Body> {
    response.map(Body::new)
}
