//! Compile errors that say which part of a handler is wrong.

use crate::handler::{
    extract::{FromContext, FromSocket},
    function::HandlerOutput,
    websocket::WebSocket,
};

/// Written around a handler, makes the compiler say which part of it is wrong: which argument, the
/// socket that does not come last, what it returns, or what it holds across an `.await`. It changes
/// nothing else; take it off again once it compiles.
///
/// ```
/// use wharf_sdk::{Path, Result, Route, Socket, debug_handler};
///
/// debug_handler! {
///     /// Says hello.
///     async fn greet(Path(name): Path<String>, mut socket: Socket) -> Result<()> {
///         socket.write(format!("hello {name}")).await
///     }
/// }
///
/// let route = Route::new("/greet/{name}", greet);
/// # let _ = route;
/// ```
#[macro_export]
macro_rules! debug_handler {
    (
        $(#[$attribute:meta])*
        $visibility:vis async fn $name:ident($($arguments:tt)+) $(-> $output:ty)? $body:block
    ) => {
        $(#[$attribute])*
        $visibility async fn $name($($arguments)+) $(-> $output)? $body

        const _: () = {
            #[allow(dead_code, unreachable_code, clippy::diverging_sub_expression)]
            fn parts() {
                use $crate::__debug::{any, argument, future, output, socket};
                $(output::<$output>();)?
                $crate::debug_handler!(@types $name [] $($arguments)+);
            }
        };
    };
    // The types of the arguments: what stands behind the colons.
    (@types $name:ident [$($types:ty,)*] : $type:ty $(, $($others:tt)*)?) => {
        $crate::debug_handler!(@types $name [$($types,)* $type,] $($($others)*)?);
    };
    (@types $name:ident [$($types:ty,)*] $pattern:tt $($others:tt)+) => {
        $crate::debug_handler!(@types $name [$($types,)*] $($others)+);
    };
    (@types $name:ident [$($types:ty,)+]) => {
        $crate::debug_handler!(@arguments $($types),+);
        future($name($(any::<$types>()),+));
    };
    (@arguments $last:ty) => {
        socket::<$last>();
    };
    (@arguments $first:ty, $($others:ty),+) => {
        argument::<$first>();
        $crate::debug_handler!(@arguments $($others),+);
    };
}

/// What a handler's last argument may be.
#[diagnostic::on_unimplemented(
    message = "the last argument of a handler is its socket, and `{Self}` is none",
    note = "put `Socket`, `Box<dyn WebSocket>`, `&mut dyn WebSocket` or `Typed<In, Out>` last, behind \
            what is taken out of the request"
)]
#[allow(unnameable_types, reason = "nobody needs to")]
pub trait HandlerSocket {}

impl<S: FromSocket> HandlerSocket for S {}

impl HandlerSocket for &mut dyn WebSocket {}

#[doc(hidden)]
pub fn argument<T: FromContext + Send>() {}

#[doc(hidden)]
pub fn socket<T: HandlerSocket>() {}

#[doc(hidden)]
pub fn output<T: HandlerOutput>() {}

#[doc(hidden)]
pub fn future<F: Future + Send>(_: F) {}

#[doc(hidden)]
pub fn any<T>() -> T {
    unreachable!("it is only compiled")
}
