//! A name for each request that both sides' logs can share.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderName, HeaderValue};

use crate::{
    app::middleware::{Middleware, Next},
    message::Result,
    request::{Context, Response},
};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over from a client: ids end up in logs.
const MAX_ID_BYTES: usize = 64;

/// Takes over the client's `X-Request-Id`, or makes one, and sends it back with every response
/// that passes, the 101 included. Handlers find it as an [`Extension`](crate::Extension) of
/// [`RequestId`].
///
/// See [`Extension`](crate::Extension) for an example.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestIdLayer;

/// The id of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub Arc<str>);

#[async_trait]
impl Middleware for RequestIdLayer {
    async fn handle(&self, mut context: Context, next: Next) -> Result<Response> {
        let is_plain = |id: &&str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !id.is_empty() && id.len() <= MAX_ID_BYTES && id.bytes().all(is_plain)
        };
        let id = match context.header(HEADER).filter(is_plain) {
            Some(id) => id.to_owned(),
            None => format!("{:x}-{}", process_nonce(), context.id()),
        };
        let value = HeaderValue::try_from(id.as_str()).ok();
        context.insert(RequestId(id.into()));
        let mut response = next.run(context).await;
        if let Some(value) = value {
            response.headers_mut().insert(HEADER, value);
        }
        Ok(response)
    }
}

/// Tells this process's connection ids from those of the next.
fn process_nonce() -> u64 {
    use std::{
        hash::{BuildHasher, RandomState},
        sync::OnceLock,
    };
    static NONCE: OnceLock<u64> = OnceLock::new();
    *NONCE.get_or_init(|| RandomState::new().hash_one(std::process::id()))
}
