//! Credentials into principals.

use std::{future::Future, marker::PhantomData};

use async_trait::async_trait;
use http::StatusCode;

use crate::{
    app::middleware::{Middleware, Next, credential::Credential, refusal::Refusal},
    message::{Error, ErrorKind, Result},
    request::{Context, Principal, Response},
};

/// Authenticates by the `Authorization: Bearer` header.
///
/// `verify` turns the credential into a principal, or `None` if it is not valid. A request without
/// a credential passes on without a principal: routes say with `require_auth` who needs one.
///
/// ```
/// use wharf_sdk::{Principal, middleware::bearer};
///
/// let auth = bearer(async |token: String| {
///     Ok((token == "letmein").then(|| Principal::new("alice").with_scopes(["chat"])))
/// });
/// # let _ = auth;
/// ```
pub fn bearer<F, Fut>(verify: F) -> Authenticate<F, Fut>
where
    F: Fn(String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Option<Principal>>> + Send + 'static,
{
    Authenticate::new(Source::Bearer, verify)
}

/// Authenticates by an offered subprotocol that begins with `prefix`, for browsers, whose
/// `WebSocket` cannot send headers: `new WebSocket(url, ["chat.v1", "bearer." + token])`.
///
/// The offer is hidden from negotiation, so it is never selected or echoed. Let pages offer one of
/// the route's subprotocols besides: browsers fail a connection that selects none of what they
/// offered. And a token must be made of what HTTP allows in one: a JWT or unpadded base64url is,
/// `:`, `/` and `=` are not.
///
/// ```
/// use wharf_sdk::{
///     App, Configure, Principal, Route, Socket, Subprotocols, WebSocket,
///     middleware::subprotocol_token, testing::TestHost,
/// };
/// # use wharf_sdk::Result;
///
/// async fn hello(principal: Principal, mut socket: Socket) -> Result<()> {
///     socket.write(format!("hello {}", principal.id)).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let auth = subprotocol_token("bearer.", async |token: String| {
///     Ok((token == "letmein").then(|| Principal::new("alice")))
/// });
/// let route = Route::new("/chat", hello).subprotocols(Subprotocols::optional(["chat.v1"]));
/// let host = TestHost::new(App::builder().middleware(auth).route(route).build()?);
///
/// let mut client = host.connect("/chat").protocols(["bearer.letmein", "chat.v1"]).await;
/// assert_eq!(client.subprotocol(), Some("chat.v1")); // never the token
/// client.expect_text("hello alice").await;
/// # Ok(())
/// # }
/// ```
pub fn subprotocol_token<F, Fut>(prefix: impl Into<String>, verify: F) -> Authenticate<F, Fut>
where
    F: Fn(String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Option<Principal>>> + Send + 'static,
{
    Authenticate::new(Source::Subprotocol(prefix.into()), verify)
}

/// Authenticates by the cookie of this name, which a browser sends by itself.
///
/// It does so for pages of any origin: leave the route's origin policy as it is, or name the pages
/// that may. A cookie that comes twice is no credential.
///
/// ```
/// use wharf_sdk::{
///     App, Principal, Route, Socket, middleware::cookie, testing::TestHost,
/// };
/// # use wharf_sdk::Result;
///
/// async fn hello(principal: Principal, mut socket: Socket) -> Result<()> {
///     socket.write(format!("hello {}", principal.id)).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let auth = cookie("session", async |session: String| {
///     Ok((session == "42").then(|| Principal::new("alice")))
/// });
/// let route = Route::new("/hello", hello).middleware(auth).require_auth();
/// let host = TestHost::new(App::builder().route(route).build()?);
///
/// host.connect("/hello").cookie("session", "42").await.expect_text("hello alice").await;
/// host.connect("/hello").cookie("session", "43").expect_rejected(401).await;
/// # Ok(())
/// # }
/// ```
pub fn cookie<F, Fut>(name: impl Into<String>, verify: F) -> Authenticate<F, Fut>
where
    F: Fn(String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Option<Principal>>> + Send + 'static,
{
    Authenticate::new(Source::Cookie(name.into()), verify)
}

/// Authenticates by the header of this name: an API key.
///
/// ```
/// use wharf_sdk::{Principal, middleware::api_key};
///
/// let auth = api_key("x-api-key", async |key: String| {
///     Ok((key == "letmein").then(|| Principal::new("the shop")))
/// });
/// # let _ = auth;
/// ```
pub fn api_key<F, Fut>(header: impl Into<String>, verify: F) -> Authenticate<F, Fut>
where
    F: Fn(String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Option<Principal>>> + Send + 'static,
{
    Authenticate::new(Source::Header(header.into()), verify)
}

/// Turns a credential into a principal: made by [`bearer`], [`subprotocol_token`], [`cookie`] and
/// [`api_key`].
pub struct Authenticate<F, Fut> {
    source: Source,
    verify: F,
    future: PhantomData<fn() -> Fut>,
}

enum Source {
    Bearer,
    /// The prefix of the offer.
    Subprotocol(String),
    Cookie(String),
    Header(String),
}

impl<F, Fut> Authenticate<F, Fut> {
    fn new(source: Source, verify: F) -> Self {
        Self {
            source,
            verify,
            future: PhantomData,
        }
    }
}

impl Source {
    fn take_credential(&self, context: &mut Context) -> Option<String> {
        match self {
            Self::Bearer => {
                let (scheme, token) = context.header("authorization")?.split_once(' ')?;
                let token = token.trim();
                (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
                    .then(|| token.to_owned())
            }
            Self::Subprotocol(prefix) => {
                let is_token = |offer: &&String| offer.starts_with(prefix.as_str());
                let offer = context
                    .offered_subprotocols()
                    .iter()
                    .find(is_token)?
                    .clone();
                context.hide_offer(&offer);
                Some(offer[prefix.len()..].to_owned())
            }
            Self::Cookie(name) => context.cookie(name).map(str::to_owned),
            Self::Header(name) => context.header(name.as_str()).map(str::to_owned),
        }
    }
}

#[async_trait]
impl<F, Fut> Middleware for Authenticate<F, Fut>
where
    F: Fn(String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Option<Principal>>> + Send + 'static,
{
    async fn handle(&self, mut context: Context, next: Next) -> Result<Response> {
        if let Some(credential) = self.source.take_credential(&mut context) {
            match (self.verify)(credential).await? {
                Some(principal) => context.set_principal(principal),
                None => return Err(invalid_credential()),
            }
        }
        Ok(next.run(context).await)
    }

    fn authenticates(&self) -> bool {
        true
    }

    fn credential(&self) -> Option<Credential> {
        Some(match &self.source {
            Source::Bearer => Credential::Bearer,
            Source::Subprotocol(prefix) => Credential::Subprotocol(prefix.clone()),
            Source::Cookie(name) => Credential::Cookie(name.clone()),
            Source::Header(name) => Credential::Header(name.clone()),
        })
    }

    fn refusals(&self) -> Vec<Refusal> {
        vec![Refusal::new(
            StatusCode::UNAUTHORIZED,
            "WHARF_INVALID_CREDENTIAL",
            "the credential is not valid",
        )]
    }
}

impl<F, Fut> std::fmt::Debug for Authenticate<F, Fut> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authenticate")
    }
}

fn invalid_credential() -> Error {
    Error::new(
        ErrorKind::Unauthorized,
        "WHARF_INVALID_CREDENTIAL",
        "the credential is not valid; get a new one",
    )
    .with_header(
        http::header::WWW_AUTHENTICATE,
        http::HeaderValue::from_static("Bearer error=\"invalid_token\""),
    )
}
