//! How long handlers run at a time.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Instant,
};

use async_trait::async_trait;
use futures::future::BoxFuture;
use metrics::{Histogram, histogram};

use crate::{
    app::middleware::{Middleware, Next},
    message::Result,
    request::{Context, Response},
    session::SessionInfo,
};

/// Times the handlers behind it: made by [`Metrics::handler_time`](super::Metrics::handler_time).
#[derive(Debug, Clone)]
pub struct HandlerTime {
    pub(super) name: Arc<str>,
}

/// That a connection's handler is timed, under this name.
#[derive(Clone)]
struct Timing(Arc<str>);

#[async_trait]
impl Middleware for HandlerTime {
    async fn handle(&self, mut context: Context, next: Next) -> Result<Response> {
        context.insert(Timing(Arc::clone(&self.name)));
        Ok(next.run(context).await)
    }
}

/// Where the times of a session's handler go, if [`HandlerTime`] was in its chain.
pub(crate) fn handler_histogram(context: &Context, session: &SessionInfo) -> Option<Histogram> {
    let Timing(name) = context.extension()?;
    let labels = [
        ("route", session.route().to_string()),
        ("driver", session.driver().to_owned()),
    ];
    Some(histogram!(name.to_string(), &labels))
}

/// A handler's future, each of whose turns is timed.
pub(crate) struct Timed {
    handler: BoxFuture<'static, Result<()>>,
    histogram: Histogram,
}

impl Timed {
    pub(crate) fn new(handler: BoxFuture<'static, Result<()>>, histogram: Histogram) -> Self {
        Self { handler, histogram }
    }
}

impl Future for Timed {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        let began = Instant::now();
        let result = this.handler.as_mut().poll(cx);
        this.histogram.record(began.elapsed().as_secs_f64());
        result
    }
}
