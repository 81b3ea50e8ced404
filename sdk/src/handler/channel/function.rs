//! Functions that serve events.

use std::{any::Any, future::Future, marker::PhantomData, pin::pin, sync::Arc};

use crate::handler::extract::Provided;
use futures::future::BoxFuture;
use serde::Serialize;

use super::{
    call::{Call, FromCall},
    envelope::push_json,
    serve,
    terms::Terms,
};
use crate::message::{BoxError, Error, Result};

/// An async function that serves an event: up to eight arguments, each a [`FromCall`], and
/// `Result<T, E>` where `T` is the reply.
///
/// There is no need to implement this trait: functions do.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not serve an event",
    label = "expected an async function of what can be taken out of an event",
    note = "an event's function is `async fn(…) -> Result<T, E>`; `T` is the reply and implements \
            `Serialize`, `()` included",
    note = "its arguments, at most eight: `Data<T>`, `ChannelPeer`, `Held<T>`, `Principal`, \
            `State<T>`, `Path<T>`, `Extension<T>`, `Context`",
    note = "its future must be `Send`: hold no `Rc` and no lock guard across an `.await`"
)]
pub trait EventFunction<Args>: Send + Sync + 'static {
    /// Serves the event; what it returns goes behind `reply`, as JSON.
    fn call(&self, call: &Call, reply: Vec<u8>) -> impl Future<Output = Result<Vec<u8>>> + Send;

    /// Whether an app with these values can ever run it.
    ///
    /// # Errors
    ///
    /// What is missing, and how to add it.
    fn check(&self, provided: &Provided<'_>) -> Result<()>;
}

/// An async function that runs when a connection opens; what it returns is kept for the connection.
///
/// There is no need to implement this trait: functions do.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot run when a channel opens",
    note = "`on_open` takes an `async fn(…) -> Result<T, E>`; `T` is kept for the connection"
)]
pub trait OpenFunction<Args>: Send + Sync + 'static {
    /// Runs it.
    fn open(&self, call: Call) -> BoxFuture<'static, Result<Arc<dyn Any + Send + Sync>>>;

    /// Whether an app with these values can ever run it.
    ///
    /// # Errors
    ///
    /// What is missing, and how to add it.
    fn check(&self, provided: &Provided<'_>) -> Result<()>;
}

/// A function of any arguments.
#[derive(Clone)]
pub(super) struct AnyFunction(Arc<dyn Erased>);

trait Erased: Send + Sync {
    fn serve(self: Arc<Self>, call: Call, terms: Arc<Terms>) -> BoxFuture<'static, Result<()>>;
    fn part(self: Arc<Self>, call: Call) -> BoxFuture<'static, Result<()>>;
    fn check(&self, provided: &Provided<'_>) -> Result<()>;
}

struct Typeless<F, Args>(F, PhantomData<fn(Args)>);

impl<Args: 'static, F: EventFunction<Args>> Erased for Typeless<F, Args> {
    // One box for all that an event does: its function runs inside of what is around it.
    fn serve(self: Arc<Self>, call: Call, terms: Arc<Terms>) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            // Pinned here, so that what is around it holds no more of it than a pointer.
            let served = pin!(self.0.call(&call, call.begin_reply()?));
            serve::event(&call, &terms, served).await
        })
    }

    fn part(self: Arc<Self>, call: Call) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            serve::farewell(&call, pin!(self.0.call(&call, Vec::new()))).await;
            Ok(())
        })
    }

    fn check(&self, provided: &Provided<'_>) -> Result<()> {
        self.0.check(provided)
    }
}

impl AnyFunction {
    pub(super) fn new<Args: 'static>(function: impl EventFunction<Args>) -> Self {
        Self(Arc::new(Typeless(function, PhantomData)))
    }

    /// Serves an event, and replies once.
    pub(super) fn serve(&self, call: Call, terms: &Arc<Terms>) -> BoxFuture<'static, Result<()>> {
        Arc::clone(&self.0).serve(call, Arc::clone(terms))
    }

    /// Runs it for a connection that the server is about to close.
    pub(super) fn part(&self, call: Call) -> BoxFuture<'static, Result<()>> {
        Arc::clone(&self.0).part(call)
    }

    pub(super) fn check(&self, provided: &Provided<'_>) -> Result<()> {
        self.0.check(provided)
    }
}

/// What runs when a connection opens.
#[derive(Clone)]
pub(super) struct AnyOpen(Arc<dyn ErasedOpen>);

trait ErasedOpen: Send + Sync {
    fn open(&self, call: Call) -> BoxFuture<'static, Result<Arc<dyn Any + Send + Sync>>>;
    fn check(&self, provided: &Provided<'_>) -> Result<()>;
}

impl<Args, F: OpenFunction<Args>> ErasedOpen for Typeless<F, Args> {
    fn open(&self, call: Call) -> BoxFuture<'static, Result<Arc<dyn Any + Send + Sync>>> {
        self.0.open(call)
    }

    fn check(&self, provided: &Provided<'_>) -> Result<()> {
        self.0.check(provided)
    }
}

impl AnyOpen {
    pub(super) fn new<Args: 'static>(function: impl OpenFunction<Args>) -> Self {
        Self(Arc::new(Typeless(function, PhantomData)))
    }

    pub(super) fn open(
        &self,
        call: Call,
    ) -> BoxFuture<'static, Result<Arc<dyn Any + Send + Sync>>> {
        self.0.open(call)
    }

    pub(super) fn check(&self, provided: &Provided<'_>) -> Result<()> {
        self.0.check(provided)
    }
}

macro_rules! impl_functions {
    ($($arg:ident),*) => {
        #[allow(non_snake_case, unused_variables, reason = "the shortest function takes nothing")]
        impl<F, Fut, T, E, $($arg),*> EventFunction<($($arg,)*)> for F
        where
            F: Fn($($arg),*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = Result<T, E>> + Send + 'static,
            T: Serialize + Send + 'static,
            E: Into<BoxError>,
            $($arg: FromCall + 'static,)*
        {
            async fn call(&self, call: &Call, mut reply: Vec<u8>) -> Result<Vec<u8>> {
                $(let $arg = $arg::from_call(call).await?;)*
                let returned = self($($arg),*).await.map_err(Error::handler)?;
                push_json(&mut reply, &returned)?;
                Ok(reply)
            }

            fn check(&self, provided: &Provided<'_>) -> Result<()> {
                $($arg::check(provided)?;)*
                Ok(())
            }
        }

        #[allow(non_snake_case, unused_variables, reason = "the shortest function takes nothing")]
        impl<F, Fut, T, E, $($arg),*> OpenFunction<($($arg,)*)> for F
        where
            F: Fn($($arg),*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = Result<T, E>> + Send + 'static,
            T: Send + Sync + 'static,
            E: Into<BoxError>,
            $($arg: FromCall + 'static,)*
        {
            fn open(&self, call: Call) -> BoxFuture<'static, Result<Arc<dyn Any + Send + Sync>>> {
                let function = self.clone();
                Box::pin(async move {
                    $(let $arg = $arg::from_call(&call).await?;)*
                    drop(call);
                    let held = function($($arg),*).await.map_err(Error::handler)?;
                    Ok(Arc::new(held) as Arc<dyn Any + Send + Sync>)
                })
            }

            fn check(&self, provided: &Provided<'_>) -> Result<()> {
                $($arg::check(provided)?;)*
                Ok(())
            }
        }
    };
}

impl_functions!();
impl_functions!(A1);
impl_functions!(A1, A2);
impl_functions!(A1, A2, A3);
impl_functions!(A1, A2, A3, A4);
impl_functions!(A1, A2, A3, A4, A5);
impl_functions!(A1, A2, A3, A4, A5, A6);
impl_functions!(A1, A2, A3, A4, A5, A6, A7);
impl_functions!(A1, A2, A3, A4, A5, A6, A7, A8);
