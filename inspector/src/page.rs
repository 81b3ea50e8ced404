//! The page: one file, which may run and show only what is in it.

use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};
use wharf_sdk::{
    Context, Error, Response,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response,
};

use crate::door::{Visitor, set_cookie};

/// What the page's socket speaks: browsers fail a connection that selects none of their offers.
pub(crate) const SUBPROTOCOL: &str = "wharf.inspector";

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const BODY: &str = include_str!("page.html");
const SIGN_IN: &str = include_str!("sign_in.html");
const SIGN_IN_SCRIPT: &str = include_str!("sign_in.js");

/// The page for somebody who was let in.
pub(crate) fn page(visitor: &Visitor, is_secure: bool) -> Response {
    // Base64 needs no escaping.
    let mut page = document(BODY, SCRIPT, &visitor.proof);
    if let Some(token) = visitor.token.as_deref().filter(|_| !visitor.is_ambient)
        && let Some(cookie) = set_cookie(token, is_secure)
    {
        page.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    page
}

/// For somebody who was not: browsers are asked for the token, programs are told.
pub(crate) fn refusal(error: &Error, context: &Context) -> Response {
    let wants_page = context.header_or("accept", "").contains("text/html");
    let mut refusal = if wants_page && error.status() == StatusCode::UNAUTHORIZED {
        document(SIGN_IN, SIGN_IN_SCRIPT, "")
    } else {
        response::text(error.status(), error.message().to_owned())
    };
    *refusal.status_mut() = error.status();
    if error.status() == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        refusal
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, scheme);
    }
    refusal
}

fn document(body: &str, script: &str, proof: &str) -> Response {
    let mut response = response::html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"proof\" content=\"{proof}\">\
         <title>Inspector</title><style>{STYLE}</style>{body}<script>{script}</script></html>"
    ));
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(script),
        hash(STYLE)
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn hash(text: &str) -> String {
    format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)))
}
