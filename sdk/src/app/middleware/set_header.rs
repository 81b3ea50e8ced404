//! A fixed header on every response that passes.

use async_trait::async_trait;
use http::{HeaderName, HeaderValue};

use crate::{
    app::middleware::{Middleware, Next},
    message::Result,
    request::{Context, Response},
};

/// Adds a header to every response that passes, the 101 included.
///
/// ```
/// use wharf_sdk::{App, http::{HeaderName, HeaderValue}, middleware::SetHeader};
///
/// let server = SetHeader::new(HeaderName::from_static("server"), HeaderValue::from_static("dock 7"));
/// let app = App::builder().middleware(server).build();
/// # let _ = app;
/// ```
#[derive(Debug, Clone)]
pub struct SetHeader {
    name: HeaderName,
    value: HeaderValue,
}

impl SetHeader {
    /// Adds this header.
    pub fn new(name: HeaderName, value: HeaderValue) -> Self {
        Self { name, value }
    }
}

#[async_trait]
impl Middleware for SetHeader {
    async fn handle(&self, context: Context, next: Next) -> Result<Response> {
        let mut response = next.run(context).await;
        response
            .headers_mut()
            .append(self.name.clone(), self.value.clone());
        Ok(response)
    }
}
