//! What runs on a socket.

use std::{future::Future, marker::PhantomData, sync::Arc};

use futures::{FutureExt, future::BoxFuture};

use crate::{
    handler::{
        event_snapshot::EventSnapshot,
        extract::{FromContext, FromSocket, Provided},
        middleware::MessageStack,
        prepared::Prepared,
        websocket::WebSocket,
    },
    message::{BoxError, Error, Result},
    request::Context,
};

/// An async function that serves a socket.
///
/// It takes what it needs: any number of [`FromContext`] values ([`Context`], `Path`, `Query`,
/// `State`, …), then the socket. What cannot be taken out of the request refuses the upgrade with
/// a 4xx; the function never runs then.
///
/// It returns nothing or a `Result<(), E>` with any error; a [`HandlerResult`] takes all of them by
/// `?`. `Ok` closes with 1000; an
/// [`Error::close`] with its code and reason; any other error with 1011, its cause hidden from the
/// peer and told to the observers.
///
/// There is no need to implement this trait: functions do.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a WebSocket handler",
    label = "expected an async function whose last argument is a socket",
    note = "a handler is `async fn(…, Socket)` that returns `()` or `Result<(), E>`; in place of \
            `Socket`, and last as it, may be `Box<dyn WebSocket>`, `&mut dyn WebSocket` or \
            `Typed<In, Out>`",
    note = "before it come at most seven of `Context`, `Path<T>`, `Query<T>`, `State<T>`, \
            `Extension<T>`, `Principal`, `Option` of one of them, or a type of yours that \
            implements `FromContext`",
    note = "these are Wharf's: axum's or actix's `Path` is another type; and the `T` of `State` and \
            `Extension` must be `Clone`",
    note = "the future must be `Send`: hold no `Rc` and no lock guard across an `.await`",
    note = "put the handler into the macro `debug_handler!` to be told which of these it is"
)]
pub trait Handler<Args>: Send + Sync + 'static {
    /// Takes out of the request what the handler needs; what is returned is given the socket.
    ///
    /// # Errors
    ///
    /// What refuses the upgrade.
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits if the upgrade takes too long or the client leaves.
    fn prepare<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Prepared>>;

    /// The same inside the route's message middleware. A handler that knows more of what it reads
    /// than that it is a message runs it there itself.
    #[doc(hidden)]
    fn prepare_inside<'a>(
        &'a self,
        context: &'a Context,
        middleware: &'a MessageStack,
    ) -> BoxFuture<'a, Result<Prepared>> {
        if middleware.is_empty() {
            return self.prepare(context);
        }
        Box::pin(async move {
            let prepared = self.prepare(context).await?;
            Ok(middleware.around(context, prepared))
        })
    }

    /// Whether a route that provides this can ever run it; asked when the app is built.
    ///
    /// # Errors
    ///
    /// What is missing, and how to add it.
    fn check(&self, provided: &Provided<'_>) -> Result<()> {
        let _ = provided;
        Ok(())
    }

    /// The events that it serves and sends, for the route's snapshot.
    fn events(&self) -> Vec<EventSnapshot> {
        Vec::new()
    }

    /// Whether it wants to read control frames, unless its route says otherwise.
    fn wants_control_frames(&self) -> bool {
        false
    }
}

/// What a handler returns that calls others than Wharf: `?` converts any error, a database's too,
/// into the private cause of its end.
///
/// ```
/// use wharf_sdk::{HandlerResult, Socket};
///
/// async fn sum(mut socket: Socket) -> HandlerResult {
///     let mut sum = 0_i64;
///     while let Some(message) = socket.read().await? {
///         sum += message.as_text().unwrap_or_default().parse::<i64>()?;
///         socket.write(sum.to_string()).await?;
///     }
///     Ok(())
/// }
/// # wharf_sdk::Route::new("/", sum);
/// ```
pub type HandlerResult = std::result::Result<(), BoxError>;

/// What a handler may return.
#[diagnostic::on_unimplemented(
    message = "a WebSocket handler cannot return `{Self}`",
    note = "return `()` or `Result<(), E>` where `E` is an error type or a `BoxError`"
)]
pub trait HandlerOutput {
    /// As the session takes it.
    ///
    /// # Errors
    ///
    /// The handler's.
    fn into_result(self) -> Result<()>;
}

impl HandlerOutput for () {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl<E: Into<BoxError>> HandlerOutput for Result<(), E> {
    fn into_result(self) -> Result<()> {
        self.map_err(Error::handler)
    }
}

/// A handler of any arguments.
pub(crate) type AnyHandler = Arc<dyn Erased>;

pub(crate) trait Erased: Send + Sync {
    fn prepare<'a>(
        &'a self,
        context: &'a Context,
        middleware: &'a MessageStack,
    ) -> BoxFuture<'a, Result<Prepared>>;
    fn check(&self, provided: &Provided<'_>) -> Result<()>;
    fn events(&self) -> Vec<EventSnapshot>;
}

pub(crate) fn erase<Args: 'static>(handler: impl Handler<Args>) -> AnyHandler {
    Arc::new(Typeless {
        handler,
        args: PhantomData,
    })
}

/// A handler whose arguments' types are not part of its trait any more.
struct Typeless<H, Args> {
    handler: H,
    args: PhantomData<fn() -> Args>,
}

impl<Args, H: Handler<Args>> Erased for Typeless<H, Args> {
    fn prepare<'a>(
        &'a self,
        context: &'a Context,
        middleware: &'a MessageStack,
    ) -> BoxFuture<'a, Result<Prepared>> {
        self.handler.prepare_inside(context, middleware)
    }

    fn check(&self, provided: &Provided<'_>) -> Result<()> {
        self.handler.check(provided)
    }

    fn events(&self) -> Vec<EventSnapshot> {
        self.handler.events()
    }
}

macro_rules! impl_handler {
    ($($arg:ident),*) => {
        #[allow(non_snake_case, unused_variables, reason = "the shortest handler takes no arguments")]
        impl<F, Fut, S, $($arg),*> Handler<($($arg,)* S,)> for F
        where
            F: Fn($($arg,)* S) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output: HandlerOutput> + Send + 'static,
            S: FromSocket,
            $($arg: FromContext + Send + 'static,)*
        {
            fn prepare<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Prepared>> {
                Box::pin(async move {
                    $(let $arg = $arg::from_context(context).await?;)*
                    let handler = self.clone();
                    let prepared: Prepared = Box::new(move |socket| {
                        let future = handler($($arg,)* S::from_socket(socket));
                        // Not an async block: it would have room for the future twice.
                        Box::pin(future.map(HandlerOutput::into_result))
                    });
                    Ok(prepared)
                })
            }

            fn check(&self, provided: &Provided<'_>) -> Result<()> {
                $($arg::check(provided)?;)*
                Ok(())
            }
        }
    };
}

/// A handler that borrows its socket: `async fn(…, &mut dyn WebSocket)`.
#[derive(Debug)]
#[allow(unnameable_types, reason = "nobody needs to")]
pub struct Borrowing<Args>(PhantomData<fn() -> Args>);

/// What such a function is for one lifetime: its future's type depends on it, and a bound for all
/// lifetimes cannot name that otherwise.
#[allow(unnameable_types, reason = "nobody needs to")]
pub trait BorrowsSocket<'a, Args> {
    /// What it returns.
    type Future: Future<Output: HandlerOutput> + Send + 'a;

    /// Calls it.
    fn call(&self, args: Args, socket: &'a mut (dyn WebSocket + 'a)) -> Self::Future;
}

macro_rules! impl_borrowing_handler {
    ($($arg:ident),*) => {
        #[allow(non_snake_case, unused_variables, reason = "the shortest handler takes no arguments")]
        impl<'a, F, Fut, $($arg),*> BorrowsSocket<'a, ($($arg,)*)> for F
        where
            F: Fn($($arg,)* &'a mut (dyn WebSocket + 'a)) -> Fut,
            Fut: Future<Output: HandlerOutput> + Send + 'a,
        {
            type Future = Fut;

            fn call(&self, ($($arg,)*): ($($arg,)*), socket: &'a mut (dyn WebSocket + 'a)) -> Fut {
                self($($arg,)* socket)
            }
        }

        #[allow(non_snake_case, unused_variables, reason = "the shortest handler takes no arguments")]
        impl<F, $($arg),*> Handler<Borrowing<($($arg,)*)>> for F
        where
            F: for<'a> BorrowsSocket<'a, ($($arg,)*)> + Clone + Send + Sync + 'static,
            $($arg: FromContext + Send + 'static,)*
        {
            fn prepare<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Prepared>> {
                Box::pin(async move {
                    $(let $arg = $arg::from_context(context).await?;)*
                    let handler = self.clone();
                    let prepared: Prepared = Box::new(move |mut socket| {
                        Box::pin(async move {
                            handler.call(($($arg,)*), &mut socket).await.into_result()
                        })
                    });
                    Ok(prepared)
                })
            }

            fn check(&self, provided: &Provided<'_>) -> Result<()> {
                $($arg::check(provided)?;)*
                Ok(())
            }
        }
    };
}

macro_rules! impl_handlers {
    ($($arg:ident),*) => {
        impl_handler!($($arg),*);
        impl_borrowing_handler!($($arg),*);
    };
}

impl_handlers!();
impl_handlers!(A1);
impl_handlers!(A1, A2);
impl_handlers!(A1, A2, A3);
impl_handlers!(A1, A2, A3, A4);
impl_handlers!(A1, A2, A3, A4, A5);
impl_handlers!(A1, A2, A3, A4, A5, A6);
impl_handlers!(A1, A2, A3, A4, A5, A6, A7);
