//! Who asks for what, and who grants it
//! ([RFC 7692 §7.1](https://www.rfc-editor.org/rfc/rfc7692#section-7.1)).

use std::fmt::Write;

use http::{HeaderMap, HeaderValue};

use super::{
    Compression, DeflateParams, DeflateSide, Extension, MAX_WINDOW_BITS, parse_extensions,
};
use crate::message::{Error, ErrorKind, Result};

const NAME: &str = "permessage-deflate";
const SERVER_NO_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_BITS: &str = "server_max_window_bits";
const CLIENT_BITS: &str = "client_max_window_bits";

impl Compression {
    /// A server's side: the first offer that fits, with the header that accepts it.
    pub(crate) fn answer(&self, offers: &[Extension<'_>]) -> Option<(DeflateParams, HeaderValue)> {
        offers
            .iter()
            .filter(|offer| offer.name == NAME)
            .find_map(|offer| self.accept_offer(&Terms::parse(offer)?))
    }

    fn accept_offer(&self, offer: &Terms) -> Option<(DeflateParams, HeaderValue)> {
        let ours = DeflateSide {
            takeover: self.outbound.takeover && !offer.server_no_takeover,
            window_bits: match offer.server_bits {
                None => self.outbound.window_bits,
                // Without a value, it says nothing in an offer.
                Some(None) => return None,
                Some(Some(bits)) => bits.min(self.outbound.window_bits),
            },
        };
        // A client that does not say so cannot be told to use a smaller window.
        let can_be_told = offer.client_bits.is_some();
        let would_fit = can_be_told || self.inbound.window_bits == MAX_WINDOW_BITS;
        let peers = DeflateSide {
            takeover: self.inbound.takeover && !offer.client_no_takeover && would_fit,
            window_bits: match offer.client_bits {
                None => MAX_WINDOW_BITS,
                Some(bits) => self
                    .inbound
                    .window_bits
                    .min(bits.unwrap_or(MAX_WINDOW_BITS)),
            },
        };
        let accepted = Terms {
            server_no_takeover: !ours.takeover,
            client_no_takeover: !peers.takeover,
            server_bits: offer.server_bits.map(|_| Some(ours.window_bits)),
            client_bits: (peers.window_bits < MAX_WINDOW_BITS).then_some(Some(peers.window_bits)),
        };
        Some((self.agreed(ours, peers), accepted.header()?))
    }

    /// A client's side: what it offers in `Sec-WebSocket-Extensions`.
    pub fn offer(&self) -> HeaderValue {
        // Names and numbers make a header.
        self.offered()
            .header()
            .unwrap_or_else(|| HeaderValue::from_static(NAME))
    }

    fn offered(&self) -> Terms {
        let smaller = |bits: u8| (bits < MAX_WINDOW_BITS).then_some(bits);
        Terms {
            server_no_takeover: !self.inbound.takeover,
            client_no_takeover: !self.outbound.takeover,
            server_bits: smaller(self.inbound.window_bits).map(Some),
            client_bits: Some(smaller(self.outbound.window_bits)),
        }
    }

    /// A client's side: what the server made of [`offer`](Self::offer); `None` if it accepted
    /// nothing.
    ///
    /// # Errors
    ///
    /// Kind `Protocol` if the server answered with anything that was not offered.
    pub fn accept(&self, headers: &HeaderMap) -> Result<Option<DeflateParams>> {
        let extensions = parse_extensions(headers).map_err(|_| unoffered())?;
        let terms = match &extensions[..] {
            [] => return Ok(None),
            [extension] if extension.name == NAME => Terms::parse(extension),
            _ => None,
        };
        let terms = terms.ok_or_else(unoffered)?;
        let window_bits = |asked: Option<Option<u8>>, most: u8| match asked {
            None => Ok(None),
            Some(Some(bits)) if bits <= most => Ok(Some(bits)),
            Some(_) => Err(unoffered()),
        };
        let server_bits = window_bits(terms.server_bits, self.inbound.window_bits)?;
        let client_bits = window_bits(terms.client_bits, self.outbound.window_bits)?;
        let ignores_takeover = !self.inbound.takeover && !terms.server_no_takeover;
        let ignores_bits = self.inbound.window_bits < MAX_WINDOW_BITS && server_bits.is_none();
        if ignores_takeover || ignores_bits {
            return Err(unoffered());
        }
        let ours = DeflateSide {
            takeover: self.outbound.takeover && !terms.client_no_takeover,
            window_bits: client_bits.unwrap_or(self.outbound.window_bits),
        };
        let peers = DeflateSide {
            takeover: !terms.server_no_takeover,
            window_bits: server_bits.unwrap_or(MAX_WINDOW_BITS),
        };
        Ok(Some(self.agreed(ours, peers)))
    }
}

fn unoffered() -> Error {
    Error::new(
        ErrorKind::Protocol,
        "WHARF_EXTENSION_NOT_OFFERED",
        "the server accepted an extension or a parameter that was not offered",
    )
}

/// The parameters of one offer or answer. A window's inner `None` is a parameter without a value.
#[derive(Debug, Default)]
struct Terms {
    server_no_takeover: bool,
    client_no_takeover: bool,
    server_bits: Option<Option<u8>>,
    client_bits: Option<Option<u8>>,
}

impl Terms {
    /// Nothing if a parameter is unknown, repeated or has a value that it must not have.
    fn parse(extension: &Extension<'_>) -> Option<Self> {
        let mut terms = Self::default();
        for (name, value) in &extension.params {
            let value = value.as_deref();
            let is_new = match *name {
                SERVER_NO_TAKEOVER => set(&mut terms.server_no_takeover, value),
                CLIENT_NO_TAKEOVER => set(&mut terms.client_no_takeover, value),
                SERVER_BITS => set_bits(&mut terms.server_bits, value),
                CLIENT_BITS => set_bits(&mut terms.client_bits, value),
                _ => false,
            };
            if !is_new {
                return None;
            }
        }
        Some(terms)
    }

    fn header(&self) -> Option<HeaderValue> {
        let mut text = NAME.to_owned();
        for (is_set, name) in [
            (self.server_no_takeover, SERVER_NO_TAKEOVER),
            (self.client_no_takeover, CLIENT_NO_TAKEOVER),
        ] {
            if is_set {
                write!(text, "; {name}").ok()?;
            }
        }
        for (bits, name) in [
            (self.server_bits, SERVER_BITS),
            (self.client_bits, CLIENT_BITS),
        ] {
            match bits {
                Some(Some(bits)) => write!(text, "; {name}={bits}").ok()?,
                Some(None) => write!(text, "; {name}").ok()?,
                None => {}
            }
        }
        HeaderValue::try_from(text).ok()
    }
}

/// Sets a flag, which has no value; `false` if it has one or is set already.
fn set(flag: &mut bool, value: Option<&str>) -> bool {
    value.is_none() && !std::mem::replace(flag, true)
}

/// Sets a window, 8 to 15 without a leading zero; `false` if it is anything else or set already.
fn set_bits(bits: &mut Option<Option<u8>>, value: Option<&str>) -> bool {
    let parsed = match value {
        None => None,
        Some("8") => Some(8),
        Some("9") => Some(9),
        Some(value) => match value.parse() {
            Ok(parsed @ 10..=MAX_WINDOW_BITS) if value.len() == 2 => Some(parsed),
            _ => return false,
        },
    };
    bits.replace(parsed).is_none()
}

#[cfg(test)]
mod tests {
    use http::header::SEC_WEBSOCKET_EXTENSIONS;

    use super::*;

    fn headers(line: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let line = HeaderValue::try_from(line).expect("a header");
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, line);
        headers
    }

    fn answer(policy: &Compression, offer: &str) -> Option<String> {
        let headers = headers(offer);
        let (_, header) = policy.answer(&parse_extensions(&headers).expect("it parses"))?;
        Some(header.to_str().expect("text").to_owned())
    }

    const BOTH_NO: &str =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    #[test]
    fn without_takeover_every_answer_says_so() {
        let policy = Compression::new();
        for (offer, expected) in [
            ("permessage-deflate", BOTH_NO.to_owned()),
            (
                "permessage-deflate; client_max_window_bits",
                BOTH_NO.to_owned(),
            ),
            (
                "permessage-deflate; client_max_window_bits=\"10\"",
                format!("{BOTH_NO}; client_max_window_bits=10"),
            ),
            (
                "permessage-deflate; server_max_window_bits=8",
                format!("{BOTH_NO}; server_max_window_bits=8"),
            ),
            (
                "x-webkit-deflate-frame, permessage-deflate",
                BOTH_NO.to_owned(),
            ),
        ] {
            assert_eq!(answer(&policy, offer), Some(expected), "{offer}");
        }
    }

    #[test]
    fn with_takeover_the_windows_are_what_both_want() {
        let policy = Compression::new().takeover(true).window_bits(12);
        for (offer, expected) in [
            // The window cannot be limited, so none is kept.
            (
                "permessage-deflate",
                "permessage-deflate; client_no_context_takeover",
            ),
            (
                "permessage-deflate; client_max_window_bits",
                "permessage-deflate; client_max_window_bits=12",
            ),
            (
                "permessage-deflate; client_max_window_bits=9; server_max_window_bits=15",
                "permessage-deflate; server_max_window_bits=12; client_max_window_bits=9",
            ),
            (
                "permessage-deflate; server_no_context_takeover; client_max_window_bits",
                "permessage-deflate; server_no_context_takeover; client_max_window_bits=12",
            ),
        ] {
            assert_eq!(answer(&policy, offer).as_deref(), Some(expected), "{offer}");
        }
    }

    #[test]
    fn the_first_offer_that_fits_is_taken_and_wrong_ones_are_declined() {
        let policy = Compression::new().takeover(true);
        let wrong = [
            "permessage-deflate; unknown",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=010",
            "permessage-deflate; client_max_window_bits=+9",
            "permessage-deflate; client_max_window_bits=9; client_max_window_bits=9",
            "Permessage-Deflate",
            "permessage-bzip2",
        ];
        for wrong in wrong {
            assert_eq!(answer(&policy, wrong), None, "{wrong}");
            let with_fallback = format!("{wrong}, permessage-deflate");
            let fallback = answer(&policy, &with_fallback);
            assert_eq!(fallback.as_deref(), Some("permessage-deflate"), "{wrong}");
        }
    }

    #[test]
    fn a_client_takes_only_what_it_offered() {
        let policy = Compression::new().inbound_window_bits(12).takeover(true);
        for line in [
            "permessage-deflate",
            "permessage-deflate; server_max_window_bits=13",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=12, permessage-deflate",
            "permessage-bzip2",
            ";",
        ] {
            let error = policy.accept(&headers(line)).expect_err("not offered");
            assert_eq!(error.code(), "WHARF_EXTENSION_NOT_OFFERED", "{line}");
        }
        let fits =
            headers("permessage-deflate; server_max_window_bits=11; client_max_window_bits=8");
        let params = policy.accept(&fits).expect("offered").expect("accepted");
        assert_eq!((params.peers.window_bits, params.ours.window_bits), (11, 8));
        assert!(policy.accept(&HeaderMap::new()).expect("fine").is_none());
        let stateless = Compression::new();
        let error = stateless.accept(&headers("permessage-deflate"));
        error.expect_err("it was asked to keep no context");
    }
}
