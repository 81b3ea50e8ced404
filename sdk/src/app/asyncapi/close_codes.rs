//! The close codes that a route's policy brings.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::refusals::readable_codes;
use crate::{
    app::entry::RouteEntry,
    message::CloseCode,
    policy::{DecodeErrors, RatePolicy, SlowClient},
};

/// What the server closes with, and why. A handler may close with other codes besides.
pub(super) fn close_codes(route: &RouteEntry) -> Map<String, Value> {
    let mut reasons = BTreeMap::<CloseCode, Vec<String>>::new();
    for (applies, code, reason) in policy(route) {
        if applies {
            reasons.entry(code).or_default().push(reason.to_owned());
        }
    }
    let cap = route.principal_cap.as_ref();
    if let Some((cap, frame)) = cap.and_then(|cap| Some((cap, cap.closes_oldest.as_ref()?))) {
        reasons.entry(frame.code()).or_default().push(format!(
            "the principal connected again, and {} at once are allowed: {}",
            cap.max,
            frame.reason()
        ));
    }
    let joined = reasons
        .into_iter()
        .map(|(code, reasons)| (code.as_u16().to_string(), reasons.join("; ").into()));
    let mut codes: Map<_, _> = joined.collect();
    if route.limits.readable_refusals {
        codes.extend(readable_codes(route));
    }
    codes
}

/// Whether a reason applies, its code, and the reason.
type Row = (bool, CloseCode, &'static str);

fn policy(route: &RouteEntry) -> Vec<Row> {
    let limits = &route.limits;
    let is_refused = !route.message_middleware.is_empty();
    let closes_floods = limits
        .rate_limit
        .as_ref()
        .is_some_and(|limit| limit.policy == RatePolicy::Close);
    let mut rows = vec![
        (true, CloseCode::NORMAL, "the handler is done"),
        (true, CloseCode::GOING_AWAY, "the server shuts down"),
        (
            limits.idle_timeout.is_some(),
            CloseCode::GOING_AWAY,
            "nothing was sent for longer than idle_timeout",
        ),
        (
            limits.max_age.is_some(),
            CloseCode::GOING_AWAY,
            "the session is older than max_age",
        ),
        (true, CloseCode::PROTOCOL, "a frame breaks RFC 6455"),
        (true, CloseCode::INVALID_PAYLOAD, "a text is not UTF-8"),
        (
            closes_floods,
            CloseCode::POLICY,
            "more was sent than rate_limit allows",
        ),
        (
            limits.first_message_timeout.is_some(),
            CloseCode::POLICY,
            "the first message took longer than first_message_timeout",
        ),
        (
            route.auth.required,
            CloseCode::POLICY,
            "the credential has expired",
        ),
        (
            route.reverify.is_some(),
            CloseCode::POLICY,
            "the credential was revoked",
        ),
        (is_refused, CloseCode::POLICY, "a message is refused"),
        (
            true,
            CloseCode::TOO_BIG,
            "a message is larger than max_message_bytes, or in more than max_fragments",
        ),
        (
            true,
            CloseCode::TOO_BIG,
            "the server's message is larger than max_outbound_message_bytes",
        ),
        (true, CloseCode::INTERNAL, "the handler failed"),
        (
            limits.slow_client == SlowClient::Close,
            CloseCode::TRY_AGAIN,
            "what was sent was not read in time",
        ),
        (
            is_refused,
            CloseCode::TRY_AGAIN,
            "a message cannot be taken now",
        ),
    ];
    rows.extend(contents(route));
    rows
}

/// What a message is closed for that is whole and means nothing here.
fn contents(route: &RouteEntry) -> [Row; 3] {
    let events = route.handler.events();
    let (invalid, unknown) = match events.first() {
        Some(event) => (event.manners.closes_invalid, event.manners.closes_unknown),
        None => (route.limits.decode_errors != DecodeErrors::Answer, false),
    };
    [
        (
            invalid,
            CloseCode::UNSUPPORTED,
            "a message is binary where text is read, or the other way round",
        ),
        (
            invalid,
            CloseCode::INVALID_PAYLOAD,
            "a message does not decode",
        ),
        (unknown, CloseCode::POLICY, "an event is unknown"),
    ]
}
