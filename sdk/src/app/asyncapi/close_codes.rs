//! The close codes that a route's policy brings.

use serde_json::{Map, Value};

use crate::{app::entry::RouteEntry, message::CloseCode};

/// What the server closes with, and why. A handler may close with other codes besides.
pub(super) fn close_codes(route: &RouteEntry) -> Map<String, Value> {
    let limits = &route.limits;
    let mut going_away = vec!["the server shuts down"];
    if limits.idle_timeout.is_some() {
        going_away.push("nothing was sent for longer than idle_timeout");
    }
    if limits.max_age.is_some() {
        going_away.push("the session is older than max_age");
    }
    let mut violations = Vec::new();
    if limits.rate_limit.is_some() {
        violations.push("more was sent than rate_limit allows");
    }
    if limits.first_message_timeout.is_some() {
        violations.push("the first message took longer than first_message_timeout");
    }
    if route.auth.required {
        violations.push("the credential has expired");
    }
    let table = [
        (CloseCode::NORMAL, vec!["the handler is done"]),
        (CloseCode::GOING_AWAY, going_away),
        (CloseCode::PROTOCOL, vec!["a frame breaks RFC 6455"]),
        (CloseCode::INVALID_PAYLOAD, vec!["a text is not UTF-8"]),
        (CloseCode::POLICY, violations),
        (
            CloseCode::TOO_BIG,
            vec!["a message is larger than max_message_bytes, or in more than max_fragments"],
        ),
        (CloseCode::INTERNAL, vec!["the handler failed"]),
    ];
    table
        .into_iter()
        .filter(|(_, reasons)| !reasons.is_empty())
        .map(|(code, reasons)| (code.as_u16().to_string(), reasons.join("; ").into()))
        .collect()
}
