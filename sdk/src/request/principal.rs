//! Who connects.

use std::{sync::Arc, time::SystemTime};

use http::Extensions;

/// A party that an authenticator vouches for.
///
/// ```
/// use wharf_sdk::{App, Principal, Route, Socket, middleware::bearer, testing::TestHost};
/// # use wharf_sdk::Result;
///
/// async fn verify(token: String) -> Result<Option<Principal>> {
///     Ok((token == "letmein").then(|| Principal::new("alice").with_scopes(["read"])))
/// }
///
/// async fn hello(principal: Principal, mut socket: Socket) -> Result<()> {
///     socket.write(format!("hello {}", principal.id)).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let app = App::builder()
///     .middleware(bearer(verify))
///     .route(Route::new("/read", hello).require_scopes(["read"]))
///     .route(Route::new("/write", hello).require_scopes(["write"]))
///     .build()?;
/// let host = TestHost::new(app);
/// host.connect("/read").expect_rejected(401).await;
/// host.connect("/read").bearer("letmein").await.expect_text("hello alice").await;
/// host.connect("/write").bearer("letmein").expect_rejected(403).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Principal {
    /// Its id, such as a user's.
    pub id: Arc<str>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When its credential ends, and the session with it (1008).
    pub expires_at: Option<SystemTime>,
    /// Whatever else the authenticator learned, by type.
    pub claims: Extensions,
}

impl Principal {
    /// A principal without scopes, whose credential does not expire.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self {
            id: id.into(),
            scopes: Vec::new(),
            expires_at: None,
            claims: Extensions::new(),
        }
    }

    /// Adds scopes.
    #[must_use]
    pub fn with_scopes<I: IntoIterator<Item: Into<String>>>(mut self, scopes: I) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Sets when the credential ends.
    #[must_use]
    pub fn expiring_at(mut self, at: SystemTime) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// Adds a claim.
    #[must_use]
    pub fn with_claim<T: Clone + Send + Sync + 'static>(mut self, claim: T) -> Self {
        self.claims.insert(claim);
        self
    }

    /// Whether it has this scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }
}
