//! Where an authenticator finds what it verifies.

use serde::Serialize;

/// Where an authenticator finds what it verifies: for route snapshots and documents.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Credential {
    /// `Authorization: Bearer …`.
    Bearer,
    /// An offered subprotocol that begins with this.
    Subprotocol(String),
    /// The cookie of this name.
    Cookie(String),
    /// The header of this name.
    Header(String),
}
