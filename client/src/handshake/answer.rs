//! Whether a 101 is what was asked for
//! ([RFC 6455 §4.1](https://www.rfc-editor.org/rfc/rfc6455#section-4.1)).

use http::{HeaderMap, HeaderName, header};
use wharf_sdk::{
    Error, ErrorKind, Result,
    driver::{DeflateParams, accept_key},
};

use super::request::Sent;

/// What a correct 101 settles.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) subprotocol: Option<String>,
    pub(crate) deflate: Option<DeflateParams>,
}

/// Checks the headers of a 101.
pub(crate) fn check(headers: &HeaderMap, sent: &Sent) -> Result<Accepted> {
    let upgrade = one(headers, &header::UPGRADE)?;
    if !upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
        return Err(wrong("Upgrade is not websocket"));
    }
    if !has_token(headers, &header::CONNECTION, "upgrade") {
        return Err(wrong("Connection does not say upgrade"));
    }
    if one(headers, &header::SEC_WEBSOCKET_ACCEPT)? != Some(&accept_key(&sent.key)) {
        return Err(wrong(
            "Sec-WebSocket-Accept does not answer the key that was sent",
        ));
    }
    let subprotocol = match one(headers, &header::SEC_WEBSOCKET_PROTOCOL)? {
        Some(name) if sent.subprotocols.names().iter().any(|offer| offer == name) => {
            Some(name.to_owned())
        }
        Some(_) => {
            return Err(wrong(
                "the server selects a subprotocol that was not offered",
            ));
        }
        None if sent.subprotocols.is_required() => {
            return Err(Error::new(
                ErrorKind::Protocol,
                "WHARF_CLIENT_SUBPROTOCOL",
                "the server speaks none of the subprotocols that are required; offer others, or \
                 do without",
            ));
        }
        None => None,
    };
    let deflate = match &sent.compression {
        Some(offered) => offered.accept(headers).map_err(|cause| {
            wrong("the server uses an extension, or parameters, that were not offered")
                .with_source(cause)
        })?,
        None if headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS) => {
            return Err(wrong("the server uses an extension that was not offered"));
        }
        None => None,
    };
    Ok(Accepted {
        subprotocol,
        deflate,
    })
}

/// The value of a header that may come once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text.trim())),
            Err(_) => Err(wrong("a header of the handshake is not text")),
        },
        (Some(_), Some(_)) => Err(wrong("a header of the handshake comes twice")),
    }
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}

fn wrong(what: &'static str) -> Error {
    Error::new(
        ErrorKind::Protocol,
        "WHARF_CLIENT_ANSWER",
        format!("{what}: its 101 is not one of RFC 6455; it, or a proxy before it, is broken"),
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use wharf_sdk::{Compression, Subprotocols};

    use super::*;

    fn sent(subprotocols: Subprotocols) -> Sent {
        Sent {
            key: "dGhlIHNhbXBsZSBub25jZQ==".into(),
            subprotocols,
            compression: None,
        }
    }

    fn answer(changes: &[(&'static str, Option<&'static str>)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("upgrade", "WebSocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        for (name, value) in changes {
            match value {
                Some(value) => drop(headers.insert(*name, HeaderValue::from_static(value))),
                None => drop(headers.remove(*name)),
            }
        }
        headers
    }

    #[test]
    fn a_correct_answer_is_taken() {
        let offers = Subprotocols::optional(["a", "b"]);
        let accepted = check(&answer(&[]), &sent(offers.clone())).expect("correct");
        assert_eq!((accepted.subprotocol, accepted.deflate), (None, None));
        let chosen = answer(&[("sec-websocket-protocol", Some("b"))]);
        let accepted = check(&chosen, &sent(offers)).expect("correct");
        assert_eq!(accepted.subprotocol.as_deref(), Some("b"));
    }

    #[test]
    fn every_lie_is_found() {
        for lie in [
            ("upgrade", None),
            ("upgrade", Some("h2c")),
            ("upgrade", Some("websocket, h2c")),
            ("connection", None),
            ("connection", Some("close")),
            ("sec-websocket-accept", None),
            ("sec-websocket-accept", Some("")),
            ("sec-websocket-accept", Some("S3pPLMBiTxaQ9kYGzzhZRbK+xOo=")),
            ("sec-websocket-protocol", Some("c")),
            ("sec-websocket-protocol", Some("A")),
            ("sec-websocket-protocol", Some("a, b")),
            ("sec-websocket-protocol", Some("")),
            ("sec-websocket-extensions", Some("permessage-deflate")),
            ("sec-websocket-extensions", Some("")),
        ] {
            let offers = Subprotocols::optional(["a", "b"]);
            let error = check(&answer(&[lie]), &sent(offers)).expect_err(lie.0);
            assert_eq!(error.code(), "WHARF_CLIENT_ANSWER", "{lie:?}");
        }
        for name in ["upgrade", "sec-websocket-accept", "sec-websocket-protocol"] {
            let mut twice = answer(&[("sec-websocket-protocol", Some("a"))]);
            let value = twice[name].clone();
            twice.append(name, value);
            check(&twice, &sent(Subprotocols::optional(["a"]))).expect_err(name);
        }
    }

    #[test]
    fn compression_is_what_was_offered_or_nothing() {
        let mut sent = sent(Subprotocols::default());
        sent.compression = Some(Compression::new());
        let with = |value| answer(&[("sec-websocket-extensions", Some(value))]);
        assert!(
            check(&answer(&[]), &sent)
                .expect("declined")
                .deflate
                .is_none()
        );
        let accepting =
            with("permessage-deflate; server_no_context_takeover; client_no_context_takeover");
        assert!(
            check(&accepting, &sent)
                .expect("accepted")
                .deflate
                .is_some()
        );
        for lie in [
            "x-other",
            "permessage-deflate; x=1",
            "permessage-deflate, permessage-deflate",
        ] {
            let error = check(&with(lie), &sent).expect_err(lie);
            assert_eq!(error.code(), "WHARF_CLIENT_ANSWER");
        }
    }

    #[test]
    fn a_required_subprotocol_must_be_selected() {
        let required = sent(Subprotocols::required(["a"]));
        let error = check(&answer(&[]), &required).expect_err("none selected");
        assert_eq!(error.code(), "WHARF_CLIENT_SUBPROTOCOL");
    }
}
