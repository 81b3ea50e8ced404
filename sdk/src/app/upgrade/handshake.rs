//! The checks that come before anybody's code, in the contract's order
//! ([RFC 6455 §4.2.1](https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1)).

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use sha1::{Digest, Sha1};

use crate::{
    message::{Error, ErrorKind, Result},
    request::{UpgradeRequest, single},
};

/// The largest header block of an upgrade request, names and values.
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// Checks method, upgrade, version and key, and that there is no body.
pub(super) fn check(request: &UpgradeRequest) -> Result<()> {
    if request.is_multiplexed() {
        check_connect(request)?;
    } else {
        check_upgrade(request)?;
    }
    check_version(request)?;
    // Over HTTP/2 there is no key: an extended CONNECT can mean nothing else than a WebSocket.
    if !request.is_multiplexed() && !key(&request.headers).is_some_and(is_valid_key) {
        return Err(Error::new(
            ErrorKind::BadRequest,
            "WHARF_KEY",
            "send Sec-WebSocket-Key once, with 16 random bytes in base64",
        ));
    }
    if has_body(&request.headers) {
        return Err(Error::new(
            ErrorKind::BadRequest,
            "WHARF_BODY",
            "an upgrade request has no body; leave Content-Length and Transfer-Encoding out",
        ));
    }
    Ok(())
}

/// What asks for a socket on a connection of its own.
fn check_upgrade(request: &UpgradeRequest) -> Result<()> {
    if request.method != Method::GET {
        return Err(Error::new(
            ErrorKind::MethodNotAllowed,
            "WHARF_METHOD",
            "open a WebSocket with GET",
        )
        .with_header(header::ALLOW, HeaderValue::from_static("GET")));
    }
    if !request.is_upgrade() {
        return Err(Error::new(
            ErrorKind::UpgradeRequired,
            "WHARF_NOT_AN_UPGRADE",
            "this is a WebSocket endpoint; connect with Connection: Upgrade and Upgrade: websocket",
        )
        .with_header(header::UPGRADE, HeaderValue::from_static("websocket"))
        .with_header(header::CONNECTION, HeaderValue::from_static("Upgrade")));
    }
    Ok(())
}

/// What asks for a socket on a connection of many streams
/// ([RFC 8441 §4](https://www.rfc-editor.org/rfc/rfc8441#section-4)).
fn check_connect(request: &UpgradeRequest) -> Result<()> {
    if request.method != Method::CONNECT {
        return Err(Error::new(
            ErrorKind::MethodNotAllowed,
            "WHARF_METHOD",
            "this is a WebSocket endpoint; over HTTP/2 open it with CONNECT and :protocol websocket, \
             or connect by HTTP/1.1",
        )
        .with_header(header::ALLOW, HeaderValue::from_static("CONNECT")));
    }
    if !request.is_upgrade() {
        return Err(Error::new(
            ErrorKind::UpgradeRequired,
            "WHARF_NOT_AN_UPGRADE",
            "this is a WebSocket endpoint; send :protocol websocket with the CONNECT",
        )
        .with_status(StatusCode::NOT_IMPLEMENTED));
    }
    Ok(())
}

fn check_version(request: &UpgradeRequest) -> Result<()> {
    if single(&request.headers, &header::SEC_WEBSOCKET_VERSION).map(str::trim) != Some("13") {
        return Err(Error::new(
            ErrorKind::UpgradeRequired,
            "WHARF_VERSION",
            "only version 13 of the protocol is spoken; send Sec-WebSocket-Version: 13",
        )
        .with_header(
            header::SEC_WEBSOCKET_VERSION,
            HeaderValue::from_static("13"),
        ));
    }
    Ok(())
}

/// Checks a request for server-sent events.
pub(super) fn check_event_stream(request: &UpgradeRequest) -> Result<()> {
    if has_body(&request.headers) {
        return Err(Error::new(
            ErrorKind::BadRequest,
            "WHARF_BODY",
            "this request has no body; leave Content-Length and Transfer-Encoding out",
        ));
    }
    Ok(())
}

/// Refuses what no honest client sends, before anything is made of it: bytes above ASCII in the
/// target, a huge header block, and HTTP/1.1 without exactly one `Host`
/// ([RFC 9112 §3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2)).
pub(super) fn check_form(request: &UpgradeRequest) -> Result<()> {
    let headers = &request.headers;
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if bytes > MAX_HEADER_BYTES {
        return Err(Error::new(
            ErrorKind::BadRequest,
            "WHARF_HEADERS_TOO_LARGE",
            "the request's headers are over 32 KiB; send fewer or smaller ones",
        )
        .with_status(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
    }
    // Some HTTP parsers let them pass, and some refuse them before we see them.
    if !request
        .uri
        .path_and_query()
        .is_none_or(|target| target.as_str().is_ascii())
    {
        return Err(Error::new(
            ErrorKind::BadRequest,
            "WHARF_TARGET",
            "the request's target has raw bytes above ASCII; percent-encode them",
        ));
    }
    let hosts = headers.get_all(header::HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version == Version::HTTP_11) {
        return Err(Error::new(
            ErrorKind::BadRequest,
            "WHARF_HOST",
            "send exactly one Host header",
        ));
    }
    Ok(())
}

/// The answer to the client's key, which has passed [`check`].
pub(super) fn accept(headers: &HeaderMap) -> Option<HeaderValue> {
    HeaderValue::try_from(accept_key(key(headers)?)).ok()
}

/// The `Sec-WebSocket-Accept` that answers this `Sec-WebSocket-Key`.
pub fn accept_key(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

/// The key, if it came once.
fn key(headers: &HeaderMap) -> Option<&str> {
    single(headers, &header::SEC_WEBSOCKET_KEY).map(str::trim)
}

/// Whether a key is sixteen bytes in base64.
fn is_valid_key(key: &str) -> bool {
    // Sixteen bytes are 24 characters: checked first, so that nothing long is decoded. Where they
    // go is larger, because the decoder wants room for three bytes a group.
    let mut decoded = [0; 18];
    key.len() == 24 && STANDARD.decode_slice(key, &mut decoded) == Ok(16)
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers
            .get_all(header::CONTENT_LENGTH)
            .iter()
            .any(|length| length.as_bytes() != b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(key: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::SEC_WEBSOCKET_KEY, HeaderValue::from_static(key));
        headers
    }

    #[test]
    fn the_rfcs_example() {
        let accept = accept(&headers("dGhlIHNhbXBsZSBub25jZQ==")).expect("valid");
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    /// The code and status of the refusal of a request over HTTP/2, if it is refused.
    fn refusal(method: Method, protocol: Option<&str>, version: Option<&'static str>) -> String {
        let mut headers = HeaderMap::new();
        if let Some(version) = version {
            let version = HeaderValue::from_static(version);
            headers.insert(header::SEC_WEBSOCKET_VERSION, version);
        }
        let refused = check(&UpgradeRequest {
            method,
            uri: http::Uri::from_static("https://wharf.test/echo"),
            mount: String::new(),
            version: Version::HTTP_2,
            headers,
            peer: None,
            is_secure: true,
            protocol: protocol.map(str::to_owned),
            extensions: Default::default(),
        });
        let of = |error: Error| format!("{} {}", error.status().as_u16(), error.code());
        refused.err().map_or_else(|| "none".to_owned(), of)
    }

    #[test]
    fn over_http_2_the_advice_is_not_to_upgrade() {
        let websocket = Some("websocket");
        let refused = |method, protocol| refusal(method, protocol, Some("13"));
        assert_eq!(refused(Method::CONNECT, websocket), "none");
        assert_eq!(refused(Method::GET, None), "405 WHARF_METHOD");
        let other = refused(Method::CONNECT, Some("connect-udp"));
        assert_eq!(other, "501 WHARF_NOT_AN_UPGRADE");
        let plain = refused(Method::CONNECT, None);
        assert_eq!(plain, "501 WHARF_NOT_AN_UPGRADE");
        for version in [None, Some("8")] {
            let old = refusal(Method::CONNECT, websocket, version);
            assert_eq!(old, "426 WHARF_VERSION");
        }
    }

    #[test]
    fn keys_must_be_sixteen_bytes_once() {
        for wrong in [
            "",
            "dGVzdA==",
            "not base64 at all!!!!!!!",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert!(!is_valid_key(wrong), "{wrong}");
        }
        let mut twice = headers("dGhlIHNhbXBsZSBub25jZQ==");
        let again = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        twice.append(header::SEC_WEBSOCKET_KEY, again);
        assert!(key(&twice).is_none());
    }
}
