//! The answer to a request for server-sent events.

use bytes::Bytes;
use http::{HeaderValue, Response, header};

use crate::request::Context;

/// What middleware made of the answer, as the head of an event stream.
pub(super) fn response(answer: &Response<Bytes>) -> Response<()> {
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.clone_from(answer.headers());
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    let kind = HeaderValue::from_static("text/event-stream");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Nginx would hold events back until its buffer is full.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Behind which id the client's own count goes on.
pub(super) fn last_id(context: &Context) -> u64 {
    let last = context.last_event_id().and_then(|id| id.parse().ok());
    last.unwrap_or_default()
}
