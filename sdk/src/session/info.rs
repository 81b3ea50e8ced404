//! What is known of a session while it lives.

use std::{net::SocketAddr, sync::Arc, time::SystemTime};

use crate::message::ConnectionId;

/// What is known of a session while it lives: what observers and logs are given.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct SessionInfo {
    /// The connection.
    pub id: ConnectionId,
    /// The route's pattern behind the prefix that the app is mounted under: what logs and figures
    /// of the server around the app call it too.
    pub route: Arc<str>,
    /// The route's pattern as the app has it, wherever it is mounted.
    pub pattern: Arc<str>,
    /// The method of the request: `GET`, or `CONNECT` over HTTP/2.
    pub method: &'static str,
    /// The path of the request behind that prefix, raw and without its query.
    pub path: Arc<str>,
    /// The id of the request, where [`RequestIdLayer`](crate::middleware::RequestIdLayer) gave it
    /// one.
    pub request_id: Option<Arc<str>>,
    /// The driver's name.
    pub driver: &'static str,
    /// The peer's address, the forwarded one behind a trusted proxy.
    pub peer: Option<SocketAddr>,
    /// The selected subprotocol.
    pub subprotocol: Option<Arc<str>>,
    /// The principal's id.
    pub principal: Option<Arc<str>>,
    /// When it began.
    pub since: SystemTime,
}
