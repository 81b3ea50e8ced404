//! What a route asks of whoever connects, as the middleware that it is.

use async_trait::async_trait;
use http::{HeaderValue, StatusCode, header};

use crate::{
    app::middleware::{Middleware, Next, Refusal},
    message::{Error, ErrorKind, Result},
    policy::AuthRule,
    request::{Context, Response},
};

/// Lets pass whom the rule allows. It stands behind the middleware that authenticates, and in front
/// of what only those who are allowed may reach.
pub(crate) struct Authorize(pub(crate) AuthRule);

#[async_trait]
impl Middleware for Authorize {
    async fn handle(&self, context: Context, next: Next) -> Result<Response> {
        let Some(principal) = context.principal() else {
            return Err(Error::new(
                ErrorKind::Unauthorized,
                "WHARF_UNAUTHORIZED",
                "connect with a valid credential",
            )
            .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        };
        let missing = |scope: &&String| !principal.has_scope(scope);
        match self.0.scopes.iter().find(missing) {
            None => Ok(next.run(context).await),
            Some(scope) => Err(Error::new(
                ErrorKind::Forbidden,
                "WHARF_SCOPE_MISSING",
                format!("this endpoint needs the scope {scope}; ask for it"),
            )),
        }
    }

    fn refusals(&self) -> Vec<Refusal> {
        let mut refusals = vec![Refusal::new(
            StatusCode::UNAUTHORIZED,
            "WHARF_UNAUTHORIZED",
            "there is no credential",
        )];
        if !self.0.scopes.is_empty() {
            refusals.push(Refusal::new(
                StatusCode::FORBIDDEN,
                "WHARF_SCOPE_MISSING",
                "the principal lacks one of the scopes",
            ));
        }
        refusals
    }
}
