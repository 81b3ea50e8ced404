//! What a middleware refuses requests with.

use http::StatusCode;
use serde::Serialize;

/// One way in which a middleware refuses requests: for documents.
///
/// ```
/// use wharf_sdk::{http::StatusCode, middleware::Refusal};
///
/// let banned = Refusal::new(StatusCode::FORBIDDEN, "BANNED", "the account is banned");
/// assert_eq!(banned.status, 403);
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The answer's status.
    pub status: u16,
    /// The error's stable code.
    pub code: &'static str,
    /// In which case, as a sentence without its full stop.
    pub when: &'static str,
}

impl Refusal {
    /// An answer with this status and code, in this case.
    pub fn new(status: StatusCode, code: &'static str, when: &'static str) -> Self {
        Self {
            status: status.as_u16(),
            code,
            when,
        }
    }
}
