//! Who may connect.

/// What a route asks of whoever connects.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct AuthRule {
    /// There must be a principal.
    pub(crate) required: bool,
    /// It must have all of these.
    pub(crate) scopes: Vec<String>,
}

impl AuthRule {
    pub(crate) fn require_scopes<I: IntoIterator<Item: Into<String>>>(&mut self, scopes: I) {
        self.required = true;
        self.scopes.extend(scopes.into_iter().map(Into::into));
    }
}
