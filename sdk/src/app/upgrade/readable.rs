//! Refusals that a page can read: a browser shows no status of a handshake that failed.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, header};

use super::{Accepted, handshake, switching_protocols};
use crate::{
    app::entry::RouteEntry,
    handler::Prepared,
    message::{CloseCode, CloseFrame, Error},
    request::Context,
};

/// The 101 and the handler that closes with 4000 and the status, if the route wants that and the
/// request could have been upgraded.
pub(super) fn readable(
    context: &mut Context,
    route: &RouteEntry,
    refusal: &Response<Bytes>,
    error: Option<&Arc<Error>>,
) -> Option<Accepted> {
    let status = refusal.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !route.limits.readable_refusals || !is_error || handshake::check(context.request()).is_err()
    {
        return None;
    }
    // A browser fails a connection that selects none of what it offered.
    let spoken = &route.limits.subprotocols;
    let _ = context.settle_subprotocol(|offers| Ok(spoken.choose(offers).unwrap_or_default()));
    let mut response = switching_protocols(context, refusal, None).ok()?;
    for name in [header::CONTENT_TYPE, header::RETRY_AFTER] {
        response.headers_mut().remove(name);
    }
    let reason = match error {
        Some(error) => error.message(),
        None => status.canonical_reason().unwrap_or_default(),
    };
    let frame = CloseFrame::cut(CloseCode::from(4000 + status.as_u16()), reason);
    let close: Prepared = Box::new(move |mut socket| {
        Box::pin(async move { socket.close(frame.code(), frame.reason().clone()).await })
    });
    Some(Accepted {
        response,
        deflate: None,
        prepared: close,
        is_stream: false,
    })
}
