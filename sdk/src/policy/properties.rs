//! Origins and subprotocols, against rules that are written out a second time, naively.

use arbitrary::{Arbitrary, Unstructured};
use http::{HeaderMap, HeaderValue, header};

use crate::policy::{
    origin::{OriginPattern, OriginPolicy, RequestOrigin},
    subprotocol::{Subprotocols, parse_offers},
};

/// Picks from what is likely to matter, or makes something arbitrary.
pub(crate) fn likely<'a>(
    u: &mut Unstructured<'a>,
    likely: &[&'a str],
) -> arbitrary::Result<&'a str> {
    if u.ratio(7, 8)? {
        Ok(u.choose(likely)?)
    } else {
        <&str>::arbitrary(u)
    }
}

/// Where something is served, as it was put together.
struct Site {
    scheme: &'static str,
    host: &'static str,
    port: u16,
}

impl Site {
    fn arbitrary(u: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        Ok(Self {
            scheme: u.choose(&["http", "https"])?,
            host: u.choose(&[
                "a.example",
                "b.a.example",
                "xa.example",
                "[::1]",
                "10.0.0.1",
            ])?,
            port: *u.choose(&[80, 443, 8080])?,
        })
    }

    /// How its port may be written: not at all if it is the scheme's own.
    fn ports(&self) -> Vec<String> {
        let own = if self.scheme == "http" { 80 } else { 443 };
        let mut ports = vec![format!(":{}", self.port)];
        if self.port == own {
            ports.push(String::new());
        }
        ports
    }

    /// What its pages send as `Origin`, in lower case.
    fn origins(&self) -> Vec<String> {
        let ports = self.ports().into_iter();
        ports
            .map(|port| format!("{}://{}{port}", self.scheme, self.host))
            .collect()
    }

    /// Whether this origin is one of its subdomains, with the same scheme and port.
    fn has_subdomain(&self, origin: &str) -> bool {
        let Some(rest) = origin.strip_prefix(&format!("{}://", self.scheme)) else {
            return false;
        };
        let is_name = |byte: u8| byte.is_ascii_graphic() && !b"/?#@\\:[]".contains(&byte);
        self.ports()
            .iter()
            .filter_map(|port| rest.strip_suffix(port.as_str())?.strip_suffix(self.host))
            .any(|sub| sub.len() > 1 && sub.ends_with('.') && sub.bytes().all(is_name))
    }
}

/// An origin connects only if it is, to the letter, one of those that are meant.
///
/// # Errors
///
/// When the bytes make no headers.
pub fn origins_are_compared_whole(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let own = Site::arbitrary(u)?;
    let listed = Site::arbitrary(u)?;
    let text = origin(u)?;
    let mut headers = HeaderMap::new();
    let line = HeaderValue::from_str(&text).map_err(|_| arbitrary::Error::IncorrectFormat)?;
    headers.append(header::ORIGIN, line.clone());
    let request = RequestOrigin::new(own.scheme, &format!("{}:{}", own.host, own.port));
    let allows = |policy: &OriginPolicy| policy.check(&headers, request.as_ref()).is_ok();
    let list = |entry: String| OriginPolicy::list([entry.as_str()]).expect("an origin");

    let plain = canonical(&text);
    let Site { scheme, host, port } = listed;
    let same = allows(&OriginPolicy::same_origin());
    assert_eq!(same, own.origins().contains(&plain), "{text:?}");
    let exact = allows(&list(format!("{scheme}://{host}:{port}")));
    assert_eq!(exact, listed.origins().contains(&plain), "{text:?}");
    if !host.starts_with('[') {
        let wildcard = allows(&list(format!("{scheme}://*.{host}:{port}")));
        assert_eq!(wildcard, listed.has_subdomain(&plain), "{text:?}");
    }
    if let Ok(pattern) = OriginPattern::parse(&text) {
        let again = OriginPattern::parse(&pattern.to_string());
        assert_eq!(again.ok(), Some(pattern));
    }

    let any = OriginPolicy::dangerously_allow_any_origin();
    assert!(allows(&any));
    let mut twice = headers.clone();
    twice.append(header::ORIGIN, line);
    assert!(any.check(&twice, request.as_ref()).is_err());
    let none = HeaderMap::new();
    assert!(any.check(&none, request.as_ref()).is_ok());
    let required = OriginPolicy::same_origin().require_origin();
    assert!(required.check(&none, request.as_ref()).is_err());
    Ok(())
}

/// At most one subprotocol is chosen, the route's favourite of those that were offered.
///
/// # Errors
///
/// When the bytes make no headers.
pub fn subprotocols_are_chosen_from_offers(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    const NAMES: [&str; 4] = ["chat.v1", "chat.v2", "json", "x"];
    let mut headers = HeaderMap::new();
    let mut tokens = Vec::new();
    for _ in 0..u.int_in_range(0..=3)? {
        let mut line = Vec::new();
        for _ in 0..u.int_in_range(1..=3)? {
            line.push(likely(u, &NAMES)?);
        }
        let line = line.join(u.choose(&[",", ", ", "\t,"])?);
        let value = HeaderValue::from_str(&line);
        let value = value.map_err(|_| arbitrary::Error::IncorrectFormat)?;
        headers.append(header::SEC_WEBSOCKET_PROTOCOL, value);
        let trimmed = line.split(',').map(|token| token.trim_matches([' ', '\t']));
        tokens.extend(trimmed.map(str::to_owned));
    }
    let is_token = |token: &String| {
        let is_separator = |byte: u8| b"\"(),/:;<=>?@[\\]{}".contains(&byte);
        let is_token = |byte: u8| byte.is_ascii_graphic() && !is_separator(byte);
        !token.is_empty() && token.bytes().all(is_token)
    };
    let is_repeated = |(at, token): (usize, &String)| tokens[..at].contains(token);
    let is_valid = tokens.iter().all(is_token) && !tokens.iter().enumerate().any(is_repeated);
    let offers = parse_offers(&headers);
    assert_eq!(offers.is_ok(), is_valid, "{tokens:?}");
    let Ok(offers) = offers else {
        return Ok(());
    };
    assert_eq!(offers, tokens);

    let mut names: Vec<&str> = Vec::new();
    for _ in 0..u.int_in_range(0..=3)? {
        let name = *u.choose(&NAMES)?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let favourite = names
        .iter()
        .find(|name| offers.iter().any(|offer| offer == **name));
    let optional = Subprotocols::optional(names.iter().copied()).choose(&offers);
    assert_eq!(optional.expect("optional").as_deref(), favourite.copied());
    let required = Subprotocols::required(names.iter().copied()).choose(&offers);
    assert_eq!(required.ok().flatten().as_deref(), favourite.copied());
    Ok(())
}

/// An `Origin` header: of a site, of something like one, or anything.
fn origin(u: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    let site = Site::arbitrary(u)?;
    let origins = site.origins();
    let text = u.choose(&origins)?.clone();
    Ok(match u.int_in_range(0..=7)? {
        0 => <&str>::arbitrary(u)?.to_owned(),
        1 => text.to_uppercase(),
        2 => text.replace(
            "://",
            &format!("://{}", likely(u, &["c.", ".", "evil@", "x"])?),
        ),
        3 => format!(
            "{text}{}",
            likely(u, &["/", ":80", "?", ".evil", "0", " "])?
        ),
        4 => text.replace(
            "example",
            likely(u, &["example.evil", "example/", "EXAMPLE"])?,
        ),
        5 => text.replace("://", likely(u, &[":", "://://", ":/", "//"])?),
        _ => text,
    })
}

/// In lower case, with the port as a number is written.
fn canonical(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    match text.rsplit_once(':') {
        Some((front, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            let digits = port.trim_start_matches('0');
            let digits = if digits.is_empty() { "0" } else { digits };
            format!("{front}:{digits}")
        }
        _ => text,
    }
}
