//! Subprotocols: what a client offers, what a route speaks, which one is chosen.

use http::{HeaderMap, header};

use crate::message::{Error, ErrorKind, Result};

/// What a route speaks, in its order of preference.
///
/// ```
/// use wharf_sdk::{Configure, Route, Subprotocols};
/// # use wharf_sdk::{App, Result, Socket, WebSocket, testing::TestHost};
/// # async fn echo(mut socket: Socket) -> Result<()> {
/// #     while let Some(message) = socket.read().await? {
/// #         socket.write(message).await?;
/// #     }
/// #     Ok(())
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let route = Route::new("/chat", echo).subprotocols(Subprotocols::required(["chat.v2", "chat.v1"]));
/// # let host = TestHost::new(App::builder().route(route).build()?);
///
/// let client = host.connect("/chat").protocols(["chat.v1", "chat.v2"]).await;
/// assert_eq!(client.subprotocol(), Some("chat.v2"));
/// host.connect("/chat").expect_rejected(400).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Subprotocols {
    names: Vec<String>,
    required: bool,
}

impl Subprotocols {
    /// Speaks these, first preferred; a client that offers none of them connects without one.
    pub fn optional<I: IntoIterator<Item: Into<String>>>(names: I) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
            required: false,
        }
    }

    /// Speaks these, first preferred; a client that offers none of them is refused with 400.
    pub fn required<I: IntoIterator<Item: Into<String>>>(names: I) -> Self {
        Self {
            required: true,
            ..Self::optional(names)
        }
    }

    /// The names, first preferred.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether a client must offer one of them.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// The preferred name among the client's offers.
    pub(crate) fn choose(&self, offers: &[String]) -> Result<Option<String>> {
        let chosen = self
            .names
            .iter()
            .find(|name| offers.contains(name))
            .cloned();
        if chosen.is_none() && self.required {
            return Err(Error::new(
                ErrorKind::BadRequest,
                "WHARF_SUBPROTOCOL_REQUIRED",
                format!(
                    "offer one of the subprotocols spoken here in Sec-WebSocket-Protocol: {}",
                    self.names.join(", ")
                ),
            ));
        }
        Ok(chosen)
    }

    pub(crate) fn check(&self) -> Result<()> {
        for (at, name) in self.names.iter().enumerate() {
            if !is_token(name) {
                return Err(Error::config(format!(
                    "subprotocol {name:?} is not an HTTP token; use letters, digits and -._~+"
                )));
            }
            if self.names[..at].contains(name) {
                return Err(Error::config(format!(
                    "subprotocol {name:?} is listed twice"
                )));
            }
        }
        if self.required && self.names.is_empty() {
            return Err(Error::config(
                "a subprotocol is required but none is listed; list what the route speaks",
            ));
        }
        Ok(())
    }
}

/// The client's offers, over all header lines, in its order.
pub(crate) fn parse_offers(headers: &HeaderMap) -> Result<Vec<String>> {
    let malformed = || {
        Error::new(
            ErrorKind::BadRequest,
            "WHARF_INVALID_SUBPROTOCOL",
            "Sec-WebSocket-Protocol must be a comma-separated list of tokens, none of them twice",
        )
    };
    let mut offers: Vec<String> = Vec::new();
    for line in headers.get_all(header::SEC_WEBSOCKET_PROTOCOL) {
        let line = line.to_str().map_err(|_| malformed())?;
        for token in line.split(',') {
            let token = token.trim_matches([' ', '\t']);
            if !is_token(token) || offers.iter().any(|offer| offer == token) {
                return Err(malformed());
            }
            offers.push(token.to_owned());
        }
    }
    Ok(offers)
}

/// Whether this is an HTTP token ([RFC 9110 §5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn offers(lines: &[&'static str]) -> Result<Vec<String>> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(
                header::SEC_WEBSOCKET_PROTOCOL,
                HeaderValue::from_static(line),
            );
        }
        parse_offers(&headers)
    }

    #[test]
    fn offers_keep_the_clients_order_over_all_lines() {
        assert_eq!(
            offers(&["zeta, alpha", "beta"]).expect("valid"),
            ["zeta", "alpha", "beta"]
        );
        assert!(offers(&[]).expect("valid").is_empty());
    }

    #[test]
    fn malformed_and_repeated_offers_are_refused() {
        for lines in [
            &["a,,b"][..],
            &[""],
            &["a, a"],
            &["a", "a"],
            &["a b"],
            &["a;b"],
        ] {
            let error = offers(lines).expect_err("malformed");
            assert_eq!(error.code(), "WHARF_INVALID_SUBPROTOCOL", "{lines:?}");
        }
    }

    #[test]
    fn the_routes_preference_decides() {
        let route = Subprotocols::optional(["chat.v2", "chat.v1"]);
        let offers = ["chat.v1".to_owned(), "chat.v2".to_owned()];
        assert_eq!(
            route.choose(&offers).expect("fits").as_deref(),
            Some("chat.v2")
        );
        assert_eq!(route.choose(&[]).expect("optional"), None);
        let error = Subprotocols::required(["x"])
            .choose(&offers)
            .expect_err("none");
        assert!(error.message().contains('x'));
    }
}
