//! Responses for HTTP fallbacks and middleware.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// The answer to an upgrade request: the 101 that the middleware chain's end makes, or something
/// else.
pub type Response = http::Response<Bytes>;

/// A response of plain text.
pub fn text(status: StatusCode, body: impl Into<String>) -> Response {
    with_type(status, body.into().into(), "text/plain; charset=utf-8")
}

/// A response of HTML.
pub fn html(body: impl Into<String>) -> Response {
    with_type(
        StatusCode::OK,
        body.into().into(),
        "text/html; charset=utf-8",
    )
}

/// A response of JSON; 500 if the value does not serialize.
///
/// ```
/// use serde_json::json;
/// use wharf_sdk::{Context, Route, Socket, http::StatusCode, response};
///
/// async fn status(_: Context) -> wharf_sdk::Response {
///     response::json(StatusCode::OK, &json!({ "alive": true }))
/// }
///
/// let route = Route::new("/feed", async |_: Socket| {}).fallback(status);
/// # let _ = route;
/// ```
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => with_type(status, body.into(), "application/json"),
        Err(error) => {
            tracing::error!(%error, "a response does not serialize");
            text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the response does not serialize",
            )
        }
    }
}

fn with_type(status: StatusCode, body: Bytes, content_type: &'static str) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}
