//! The handshake's headers, against rules that are written out a second time, naively.

use arbitrary::{Arbitrary, Unstructured};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header};

use super::handshake;
use crate::{
    policy::properties::likely,
    request::{TrustedProxies, UpgradeRequest},
};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The first rule that a request breaks names the refusal, and a request that breaks none is
/// accepted.
///
/// # Errors
///
/// When the bytes make no request.
pub fn handshakes_are_checked(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mut headers = HeaderMap::new();
    let names = [
        (header::UPGRADE, &["websocket", "WebSocket", "h2c"][..]),
        (header::CONNECTION, &["Upgrade", "upgrade", "keep-alive"]),
        (header::SEC_WEBSOCKET_VERSION, &["13", "8", "013"]),
        (
            header::SEC_WEBSOCKET_KEY,
            &[KEY, "dGhlIHNhbXBsZSBub25jZR=="],
        ),
        (header::CONTENT_LENGTH, &["0", "00"]),
        (header::TRANSFER_ENCODING, &["chunked"]),
    ];
    for (name, values) in names {
        let is_usual = name != header::CONTENT_LENGTH && name != header::TRANSFER_ENCODING;
        let lines = match u.ratio(7, 8)? {
            true => usize::from(is_usual),
            false => u.int_in_range(0..=2)?,
        };
        add_lines(u, &mut headers, &name, lines, values)?;
    }
    let mut request = request(headers);
    request.method = u.choose(&[Method::GET, Method::GET, Method::POST])?.clone();
    request.version = *u.choose(&[Version::HTTP_11, Version::HTTP_11, Version::HTTP_10])?;

    let refusal = handshake::check(&request).err();
    let code = refusal.as_ref().map(|error| error.code().to_owned());
    assert_eq!(code.as_deref(), broken_rule(&request));
    if refusal.is_none() {
        let answer = handshake::accept(&request.headers);
        assert!(answer.is_some_and(|answer| answer.len() == 28));
    }
    Ok(())
}

/// Forwarding headers count from trusted proxies only, and of those only what the nearest wrote.
///
/// # Errors
///
/// When the bytes make no request.
pub fn forwarding_needs_trust(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    const NAMES: [HeaderName; 3] = [
        HeaderName::from_static("x-forwarded-for"),
        HeaderName::from_static("x-forwarded-proto"),
        HeaderName::from_static("x-forwarded-host"),
    ];
    let values = [
        "10.1.2.3",
        "::1",
        "https",
        "http",
        "shop.example",
        "a:81",
        "",
    ];
    let mut headers = HeaderMap::new();
    add_lines(
        u,
        &mut headers,
        &header::HOST,
        1,
        &["shop.example", "b:8080", "[::1]"],
    )?;
    for name in &NAMES {
        let lines = u.int_in_range(0..=2)?;
        add_lines(u, &mut headers, name, lines, &values)?;
    }
    let mut request = request(headers);
    request.peer = Some(*u.choose(&[([10, 0, 0, 1], 4000).into(), ([10, 0, 0, 2], 4000).into()])?);
    request.is_secure = bool::arbitrary(u)?;
    let proxy = [10, 0, 0, 1].into();
    let trust = TrustedProxies::at([proxy]);
    let is_trusted = request.peer.is_some_and(|peer| peer.ip() == proxy);
    let origin_and_client = |request: &UpgradeRequest| {
        let client = request.client_address(&trust);
        (request.own_origin(&trust, false), client)
    };

    // Nobody is believed: without the headers it is the same. Somebody is: what was claimed in
    // front of the nearest proxy's words changes nothing.
    let mut other = request.clone();
    for name in &NAMES {
        let mut lines: Vec<_> = request.headers.get_all(name).iter().cloned().collect();
        other.headers.remove(name);
        if !is_trusted || lines.is_empty() {
            continue;
        }
        if u.ratio(1, 2)? {
            lines.insert(0, value(u, &values)?);
        } else if let Some(nearest) = lines.last_mut() {
            let claimed = u.choose(&values)?;
            let line = [claimed.as_bytes(), b",", nearest.as_bytes()].concat();
            *nearest = HeaderValue::from_bytes(&line).expect("both were valid");
        }
        for line in lines {
            other.headers.append(name, line);
        }
    }
    assert_eq!(origin_and_client(&request), origin_and_client(&other));
    let port = |request: &UpgradeRequest| Some(request.client_address(&trust)?.port());
    assert_eq!(port(&request), Some(4000));
    Ok(())
}

/// The code of the first rule that is broken, in the contract's order.
fn broken_rule(request: &UpgradeRequest) -> Option<&'static str> {
    let headers = &request.headers;
    let asks = lines(headers, &header::UPGRADE)
        .iter()
        .any(|line| trim(line).eq_ignore_ascii_case(b"websocket"));
    let connection = lines(headers, &header::CONNECTION);
    let agrees = connection
        .iter()
        .filter(|line| is_text(line))
        .flat_map(|line| line.split(|byte| *byte == b','))
        .any(|token| trim(token).eq_ignore_ascii_case(b"upgrade"));
    let has_version = match lines(headers, &header::SEC_WEBSOCKET_VERSION)[..] {
        [line] => trim(line) == b"13",
        _ => false,
    };
    let lengths = lines(headers, &header::CONTENT_LENGTH);
    let has_body = !lines(headers, &header::TRANSFER_ENCODING).is_empty()
        || lengths.iter().any(|line| *line != b"0");
    if request.method != Method::GET {
        Some("WHARF_METHOD")
    } else if !asks || !agrees || request.version == Version::HTTP_10 {
        Some("WHARF_NOT_AN_UPGRADE")
    } else if !has_version {
        Some("WHARF_VERSION")
    } else if !has_key(headers) {
        Some("WHARF_KEY")
    } else {
        has_body.then_some("WHARF_BODY")
    }
}

/// Base64 of 16 bytes: 22 digits, the last of which holds two bits, and the padding.
fn has_key(headers: &HeaderMap) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    match lines(headers, &header::SEC_WEBSOCKET_KEY)[..] {
        [line] => match trim(line) {
            [digits @ .., last, b'=', b'='] => {
                digits.len() == 21 && digits.iter().all(is_digit) && b"AQgw".contains(last)
            }
            _ => false,
        },
        _ => false,
    }
}

fn lines<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a [u8]> {
    let lines = headers.get_all(name).iter();
    lines.map(HeaderValue::as_bytes).collect()
}

fn is_text(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}

fn trim(line: &[u8]) -> &[u8] {
    line.trim_ascii()
}

fn request(headers: HeaderMap) -> UpgradeRequest {
    UpgradeRequest {
        method: Method::GET,
        uri: Uri::from_static("/"),
        mount: String::new(),
        version: Version::HTTP_11,
        headers,
        peer: None,
        is_secure: false,
        protocol: None,
        extensions: http::Extensions::new(),
    }
}

fn add_lines(
    u: &mut Unstructured<'_>,
    headers: &mut HeaderMap,
    name: &HeaderName,
    lines: usize,
    values: &[&'static str],
) -> arbitrary::Result<()> {
    for _ in 0..lines {
        headers.append(name, value(u, values)?);
    }
    Ok(())
}

/// One of these, several of them in a list, or any bytes that a header may have.
fn value(u: &mut Unstructured<'_>, values: &[&'static str]) -> arbitrary::Result<HeaderValue> {
    let bytes = match u.int_in_range(0..=15)? {
        0 => <&[u8]>::arbitrary(u)?.to_vec(),
        1..=3 => {
            let separator = *u.choose(&[",", ", ", " ,\t", ";"])?;
            let (a, b) = (likely(u, values)?, likely(u, values)?);
            format!("{a}{separator}{b}").into_bytes()
        }
        4 => format!(" {} ", likely(u, values)?).into_bytes(),
        _ => likely(u, values)?.as_bytes().to_vec(),
    };
    HeaderValue::from_bytes(&bytes).map_err(|_| arbitrary::Error::IncorrectFormat)
}
