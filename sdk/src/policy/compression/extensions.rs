//! The grammar of `Sec-WebSocket-Extensions`
//! ([RFC 6455 §9.1](https://www.rfc-editor.org/rfc/rfc6455#section-9.1)).

use std::borrow::Cow;

use http::{HeaderMap, header};

use crate::{
    message::{Error, ErrorKind, Result},
    policy::subprotocol::is_token,
};

/// An extension with its parameters, as it was offered or accepted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Extension<'a> {
    pub(crate) name: &'a str,
    pub(crate) params: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

/// All extensions over all header lines, in their order.
///
/// # Errors
///
/// A line does not parse, or names no extension at all.
pub(crate) fn parse_extensions(headers: &HeaderMap) -> Result<Vec<Extension<'_>>> {
    let mut extensions = Vec::new();
    for line in headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS) {
        let parsed = line.to_str().ok().and_then(parse_line);
        match parsed {
            Some(parsed) if !parsed.is_empty() => extensions.extend(parsed),
            _ => return Err(malformed()),
        }
    }
    Ok(extensions)
}

fn malformed() -> Error {
    Error::new(
        ErrorKind::BadRequest,
        "WHARF_INVALID_EXTENSIONS",
        "Sec-WebSocket-Extensions must be a comma-separated list of names with parameters, such \
         as permessage-deflate; client_max_window_bits",
    )
}

fn parse_line(line: &str) -> Option<Vec<Extension<'_>>> {
    let mut rest = Rest(line);
    let mut extensions = Vec::new();
    loop {
        // Empty elements of a list mean nothing.
        while rest.take(',') {}
        if rest.is_at_end() {
            return Some(extensions);
        }
        let name = rest.token()?;
        let mut params = Vec::new();
        while rest.take(';') {
            let param = rest.token()?;
            let value = match rest.take('=') {
                true => Some(rest.value()?),
                false => None,
            };
            params.push((param, value));
        }
        extensions.push(Extension { name, params });
        if !rest.is_at_end() && !rest.take(',') {
            return None;
        }
    }
}

/// What is left of a line.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip_space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn is_at_end(&mut self) -> bool {
        self.skip_space();
        self.0.is_empty()
    }

    fn take(&mut self, separator: char) -> bool {
        self.skip_space();
        match self.0.strip_prefix(separator) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn token(&mut self) -> Option<&'a str> {
        self.skip_space();
        let separator = |char: char| " \t,;=\"".contains(char);
        let end = self.0.find(separator).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        is_token(token).then_some(token)
    }

    /// A token, bare or in quotes: what is in the quotes must be one too.
    fn value(&mut self) -> Option<Cow<'a, str>> {
        if !self.take('"') {
            return self.token().map(Cow::Borrowed);
        }
        let mut value = String::new();
        let mut chars = self.0.char_indices();
        loop {
            match chars.next()? {
                (end, '"') => {
                    self.0 = &self.0[end + 1..];
                    return is_token(&value).then_some(Cow::Owned(value));
                }
                (_, '\\') => value.push(chars.next()?.1),
                (_, char) => value.push(char),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> Option<String> {
        let parsed = parse_line(line)?;
        let extensions = parsed.iter().map(|extension| {
            let params = extension.params.iter().map(|(name, value)| match value {
                Some(value) => format!("{name}={value}"),
                None => (*name).to_owned(),
            });
            let params: Vec<String> = params.collect();
            format!("{}({})", extension.name, params.join(" "))
        });
        Some(extensions.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn several_offers_with_parameters_quoted_and_not() {
        for (line, parsed) in [
            ("permessage-deflate", "permessage-deflate()"),
            ("a; b=1; c , d;e = \"1\\5\"", "a(b=1 c) d(e=15)"),
            (" ,, a ,\t", "a()"),
            ("a,a;b", "a() a(b)"),
        ] {
            assert_eq!(shown(line).as_deref(), Some(parsed), "{line:?}");
        }
    }

    #[test]
    fn what_does_not_parse_is_refused() {
        for line in [
            ";",
            "a;",
            "a;;b",
            "a b",
            "a=b",
            "a; b=",
            "a; b=\"",
            "a; b=\"\"",
            "a; b=\"1 5\"",
            "a; b=\"1\\",
            "a; b=\"1\"5",
            "a; =1",
            "\"a\"",
            "a/b",
        ] {
            assert_eq!(shown(line), None, "{line:?}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(
            header::SEC_WEBSOCKET_EXTENSIONS,
            http::HeaderValue::from_static(""),
        );
        let error = parse_extensions(&headers).expect_err("it names nothing");
        assert_eq!(error.code(), "WHARF_INVALID_EXTENSIONS");
    }
}
