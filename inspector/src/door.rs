//! Who may see the page.

use std::{future::Future, sync::Arc};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures::future::BoxFuture;
use sha2::{Digest, Sha256};
use wharf_sdk::{
    Context, Error, ErrorKind, Middleware, Next, Principal, Response, Result,
    http::{HeaderValue, StatusCode, header},
};

/// The cookie that holds the token, base64 so that any token fits.
pub(crate) const COOKIE: &str = "wharf_inspector";

/// How an offered subprotocol begins that shows that our own page opened the socket.
const PROOF: &str = "proof.";

/// The longest token that is looked at.
const MAX_TOKEN_BYTES: usize = 4096;

type Verify = dyn Fn(String) -> BoxFuture<'static, Result<Option<Principal>>> + Send + Sync;

/// Who may see the page. Clones are the same door.
#[derive(Clone)]
pub(crate) struct Door {
    lock: Lock,
    pub(crate) scopes: Vec<String>,
}

#[derive(Clone)]
enum Lock {
    Verified(Arc<Verify>),
    /// It stands open. The word is what only our own page knows.
    Open(Arc<str>),
}

/// Somebody who was let in.
pub(crate) struct Visitor {
    pub(crate) principal: Principal,
    /// What they showed, unless the door stands open.
    pub(crate) token: Option<String>,
    /// Their browser came in with what it sends by itself.
    pub(crate) is_ambient: bool,
    /// What their page says to show that it is ours.
    pub(crate) proof: String,
}

impl Door {
    pub(crate) fn verified_by<F, Fut>(verify: F) -> Self
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Principal>>> + Send + 'static,
    {
        Self {
            lock: Lock::Verified(Arc::new(move |token| Box::pin(verify(token)))),
            scopes: Vec::new(),
        }
    }

    pub(crate) fn open() -> Self {
        Self {
            lock: Lock::Open(random_word().into()),
            scopes: Vec::new(),
        }
    }

    /// Lets somebody in, or says why not.
    pub(crate) async fn enter(&self, context: &Context) -> Result<Visitor> {
        let verify = match &self.lock {
            Lock::Verified(verify) => verify,
            Lock::Open(word) => {
                return Ok(Visitor {
                    principal: Principal::new("anybody").with_scopes(self.scopes.clone()),
                    token: None,
                    // Every page that a browser shows could come in; programs send no origin.
                    is_ambient: context.header("origin").is_some(),
                    proof: proof(word),
                });
            }
        };
        let (token, is_ambient) = match (bearer(context), cookie(context)) {
            (Some(token), _) => (token, false),
            (None, Some(token)) => (token, true),
            (None, None) => return Err(unauthorized("show a token")),
        };
        let principal = verify(token.clone()).await?;
        let principal = principal.ok_or_else(|| unauthorized("the token is not valid"))?;
        let missing = self.scopes.iter().find(|scope| !principal.has_scope(scope));
        if let Some(scope) = missing {
            return Err(Error::reject(
                StatusCode::FORBIDDEN,
                format!("the inspector needs the scope {scope}; ask for it"),
            ));
        }
        Ok(Visitor {
            principal,
            proof: proof(&token),
            token: Some(token),
            is_ambient,
        })
    }
}

/// In front of the socket.
#[async_trait]
impl Middleware for Door {
    async fn handle(&self, mut context: Context, next: Next) -> Result<Response> {
        let visitor = self.enter(&context).await?;
        let offers = context.offered_subprotocols().to_vec();
        let offered = offers.iter().find(|offer| offer.starts_with(PROOF));
        if let Some(offered) = offered {
            context.hide_offer(offered);
        }
        let expected = format!("{PROOF}{}", visitor.proof);
        if visitor.is_ambient && offered != Some(&expected) {
            return Err(Error::reject(
                StatusCode::FORBIDDEN,
                "only the inspector's own page opens its socket; load the page again",
            ));
        }
        context.set_principal(visitor.principal);
        Ok(next.run(context).await)
    }

    fn authenticates(&self) -> bool {
        true
    }
}

/// What only those can say who know the token, or were told by the page. The same on every node.
fn proof(token: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"wharf-inspector: this page opened the socket\0");
    hash.update(token);
    BASE64_URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// A word that nobody guesses.
fn random_word() -> String {
    use std::hash::{BuildHasher, RandomState};
    // Hashes under keys that the system drew at random, and that nobody is shown.
    let words = [0; 4].map(|_| RandomState::new().hash_one("word").to_le_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(words.concat())
}

/// The header that makes a browser keep the token.
pub(crate) fn set_cookie(token: &str, is_secure: bool) -> Option<HeaderValue> {
    let token = BASE64_URL_SAFE_NO_PAD.encode(token);
    // A browser would not send it back over a connection that is not.
    let secure = if is_secure { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={token}; HttpOnly; SameSite=Strict{secure}; Max-Age=43200");
    HeaderValue::try_from(cookie).ok()
}

fn bearer(context: &Context) -> Option<String> {
    let (scheme, token) = context.header("authorization")?.split_once(' ')?;
    let token = token.trim();
    let fits = !token.is_empty() && token.len() <= MAX_TOKEN_BYTES;
    (scheme.eq_ignore_ascii_case("bearer") && fits).then(|| token.to_owned())
}

fn cookie(context: &Context) -> Option<String> {
    let lines = context.headers().get_all(header::COOKIE);
    let mut pairs = lines
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == COOKIE)?;
    if value.len() > 2 * MAX_TOKEN_BYTES {
        return None;
    }
    let token = BASE64_URL_SAFE_NO_PAD.decode(value).ok()?;
    String::from_utf8(token)
        .ok()
        .filter(|token| !token.is_empty())
}

fn unauthorized(message: &'static str) -> Error {
    Error::new(ErrorKind::Unauthorized, "WHARF_UNAUTHORIZED", message)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}
