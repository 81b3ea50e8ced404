//! Errors as HTTP responses ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)).

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use serde_json::json;

use crate::message::Error;

/// The response for an error. Its cause and context are in the body in debug mode only.
pub(crate) fn response(error: &Error, is_debug: bool) -> Response<Bytes> {
    let status = error.status();
    let mut problem = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "code": error.code(),
        "detail": error.message(),
    });
    if is_debug {
        problem["cause"] = error.cause_chain().into();
        problem["context"] = error
            .context()
            .map(|(key, value)| (key.to_owned(), value.into()))
            .collect::<serde_json::Map<_, _>>()
            .into();
    }
    error.add_fields(&mut problem);
    let mut response = Response::new(Bytes::from(problem.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static("application/problem+json");
    headers.insert(header::CONTENT_TYPE, content_type);
    for (name, value) in error.headers() {
        headers.append(name, value.clone());
    }
    response
}
