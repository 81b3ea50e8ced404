//! axum's types to Wharf's and back.

use std::net::SocketAddr;

use axum::{body::Body, extract::ConnectInfo};
use bytes::Bytes;
use http::{Request, Response};
use wharf_sdk::UpgradeRequest;

pub(crate) fn to_upgrade_request(request: &Request<Body>) -> UpgradeRequest {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    UpgradeRequest {
        method: request.method().clone(),
        uri: request.uri().clone(),
        version: request.version(),
        headers: request.headers().clone(),
        peer: peer.map(|ConnectInfo(peer)| *peer),
        is_secure: request.uri().scheme() == Some(&http::uri::Scheme::HTTPS),
    }
}

pub(crate) fn from_response(response: Response<Bytes>) -> Response<Body> {
    response.map(Body::from)
}
