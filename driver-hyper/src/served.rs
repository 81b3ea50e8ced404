//! What a server serves: an app alone, or a service in which it is mounted.

use std::{convert::Infallible, fmt, future::poll_fn, sync::Arc};

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use http::{Request, Response};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::body::{Body, Incoming};
use wharf_sdk::BoxError;

/// The body of whatever is served.
pub(crate) type AnyBody = UnsyncBoxBody<Bytes, BoxError>;

type Answering = dyn Fn(Request<Incoming>) -> BoxFuture<'static, Response<AnyBody>> + Send + Sync;

/// A tower service without its types.
#[derive(Clone)]
pub(crate) struct Served(Arc<Answering>);

impl Served {
    pub(crate) fn new<S, B>(service: S) -> Self
    where
        S: tower_service::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        Self(Arc::new(move |request| {
            let mut service = service.clone();
            async move {
                let Ok(()) = poll_fn(|cx| service.poll_ready(cx)).await;
                let Ok(response) = service.call(request).await;
                response.map(|body| body.map_err(Into::into).boxed_unsync())
            }
            .boxed()
        }))
    }

    pub(crate) fn answer(
        &self,
        request: Request<Incoming>,
    ) -> BoxFuture<'static, Response<AnyBody>> {
        (self.0)(request)
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Served")
    }
}
