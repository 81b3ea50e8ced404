//! One try to connect, and what it asks for.

use futures::future::BoxFuture;
use wharf_sdk::Result;

use crate::request::Request;

/// Makes the request of each try.
pub(super) type Source = dyn Fn(Attempt) -> BoxFuture<'static, Result<Request>> + Send + Sync;

/// One try to connect.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct Attempt {
    /// 1 for the first try since the link was stable, then 2, 3, …
    pub number: u32,
    /// The last position of a room, which the request will hand over as `since`.
    pub position: Option<String>,
}
