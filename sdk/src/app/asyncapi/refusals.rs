//! What the handshake is refused with.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::app::{
    entry::RouteEntry,
    middleware::{AnyMiddleware, Refusal},
};

/// What any route may refuse, before it is asked who wants what of it, and what the answer says; an
/// app that maps its errors says something of its own.
pub(super) fn everywhere(is_mapped: bool) -> Value {
    let all: Vec<_> = unreadable().into_iter().chain(readable()).collect();
    let mut refusals = json!({ "everywhere": all });
    if !is_mapped {
        refusals["contentType"] = "application/problem+json".into();
        refusals["payload"] = payload();
    }
    refusals
}

/// What this route refuses besides.
pub(super) fn refusals(route: &RouteEntry) -> Vec<Refusal> {
    let mut refusals = vec![Refusal::new(
        StatusCode::FORBIDDEN,
        "WHARF_ORIGIN_DENIED",
        "a page of this origin may not connect",
    )];
    refusals.extend(route.middleware.iter().flat_map(AnyMiddleware::refusals));
    let asks =
        |is_asked: bool, status, code, when| is_asked.then(|| Refusal::new(status, code, when));
    let refuses_newest = route
        .principal_cap
        .as_ref()
        .is_some_and(|cap| cap.closes_oldest.is_none());
    let of_the_route = [
        asks(
            route.limits.subprotocols.is_required(),
            StatusCode::BAD_REQUEST,
            "WHARF_SUBPROTOCOL_REQUIRED",
            "none of the subprotocols is offered",
        ),
        asks(
            refuses_newest,
            StatusCode::SERVICE_UNAVAILABLE,
            "WHARF_FULL_FOR_PRINCIPAL",
            "the principal has as many connections as it may have",
        ),
        asks(
            route.pattern.contains('{'),
            StatusCode::BAD_REQUEST,
            "WHARF_PATH_PARAMETER",
            "a parameter of the path is of the wrong form",
        ),
        asks(
            route.described.query.is_some(),
            StatusCode::BAD_REQUEST,
            "WHARF_QUERY",
            "the query is of the wrong form",
        ),
    ];
    refusals.extend(of_the_route.into_iter().flatten());
    let mut named = Vec::new();
    // Several authenticators refuse alike.
    refusals.retain(|refusal| {
        let is_new = !named.contains(&refusal.code);
        named.push(refusal.code);
        is_new
    });
    refusals
}

/// The close codes of a route that lets pages read its refusals, of which browsers show nothing
/// else: 4000 and the status.
pub(super) fn readable_codes(route: &RouteEntry) -> Map<String, Value> {
    let mut codes = Map::new();
    for refusal in refusals(route).into_iter().chain(readable()) {
        let reason = codes.entry(format!("{}", 4000 + refusal.status));
        let reason = reason.or_insert_with(|| format!("refused with {}", refusal.status).into());
        if let Value::String(reason) = reason {
            let mark = if reason.contains(':') { ';' } else { ':' };
            reason.push(mark);
            reason.push(' ');
            reason.push_str(refusal.when);
        }
    }
    codes
}

/// What is wrong with a request that could not have been upgraded, or finds nobody who would.
fn unreadable() -> Vec<Refusal> {
    [
        (404, "WHARF_NOT_FOUND", "there is no such path"),
        (
            405,
            "WHARF_METHOD",
            "the method is not GET; over HTTP/2, not CONNECT",
        ),
        (
            426,
            "WHARF_NOT_AN_UPGRADE",
            "the request asks for no upgrade",
        ),
        (426, "WHARF_VERSION", "Sec-WebSocket-Version is not 13"),
        (
            400,
            "WHARF_KEY",
            "Sec-WebSocket-Key is not 16 bytes in base64",
        ),
        (400, "WHARF_BODY", "the request has a body"),
        (400, "WHARF_HOST", "there is not exactly one Host"),
        (400, "WHARF_TARGET", "the target has raw bytes above ASCII"),
        (
            400,
            "WHARF_PATH_NOT_UTF8",
            "the path decodes to something else than UTF-8",
        ),
        (
            431,
            "WHARF_HEADERS_TOO_LARGE",
            "the headers are larger than 32 KiB",
        ),
        (503, "WHARF_SHUTTING_DOWN", "the server shuts down"),
    ]
    .map(refusal)
    .into()
}

fn readable() -> Vec<Refusal> {
    [
        (
            400,
            "WHARF_INVALID_SUBPROTOCOL",
            "Sec-WebSocket-Protocol is malformed",
        ),
        (
            400,
            "WHARF_INVALID_EXTENSIONS",
            "Sec-WebSocket-Extensions is malformed",
        ),
        (500, "WHARF_PANIC", "the server failed"),
        (
            503,
            "WHARF_FULL",
            "there are as many connections as the server, the route or an address may have",
        ),
        (504, "WHARF_UPGRADE_TIMEOUT", "the answer took too long"),
    ]
    .map(refusal)
    .into()
}

fn refusal((status, code, when): (u16, &'static str, &'static str)) -> Refusal {
    Refusal { status, code, when }
}

/// The problem document ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) that says why.
fn payload() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": { "type": "string", "format": "uri-reference" },
            "title": { "type": "string", "description": "what the status is called" },
            "status": { "type": "integer" },
            "code": { "type": "string", "description": "stable, for programs" },
            "detail": { "type": "string", "description": "what was wrong and what to do, for people" },
        },
    })
}
