//! What handlers take out of a request.

use std::sync::Arc;

use http::Extensions;
use serde::de::DeserializeOwned;

use crate::{
    auth::Principal,
    error::{Error, ErrorKind, Result},
    session::Socket,
    upgrade::Context,
};

/// A handler's argument, taken out of the upgrade request.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be taken out of an upgrade request",
    note = "use `Context`, `Path<T>`, `Query<T>`, `State<T>`, `Extension<T>`, `Principal` or \
            `Option` of one of them, or implement `FromContext`"
)]
pub trait FromContext: Sized {
    /// Takes it out, before the upgrade.
    ///
    /// # Errors
    ///
    /// What refuses the upgrade; use a 4xx kind.
    fn from_context(context: &Context) -> Result<Self>;

    /// Whether an app with these values can ever provide it; asked when the app is built.
    ///
    /// # Errors
    ///
    /// What is missing, and how to add it.
    fn check(state: &Extensions) -> Result<()> {
        let _ = state;
        Ok(())
    }
}

/// A handler's last argument, made from its socket.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a socket",
    note = "the last argument of a handler is `Socket`, or something made from it"
)]
pub trait FromSocket {
    /// Makes it.
    fn from_socket(socket: Socket) -> Self;
}

impl FromSocket for Socket {
    fn from_socket(socket: Socket) -> Self {
        socket
    }
}

impl FromContext for Context {
    fn from_context(context: &Context) -> Result<Self> {
        Ok(context.clone())
    }
}

/// The query, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromContext for Query<T> {
    fn from_context(context: &Context) -> Result<Self> {
        context.query_as().map(Self)
    }
}

/// The path parameters, decoded: a struct of them by name, a tuple in order, or a single value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned> FromContext for Path<T> {
    fn from_context(context: &Context) -> Result<Self> {
        let invalid = |detail: String| {
            Error::new(
                ErrorKind::BadRequest,
                "WHARF_PATH_PARAMETER",
                format!("the path parameters do not fit: {detail}"),
            )
        };
        crate::path_de::from_params(context.params().collect())
            .map(Self)
            .map_err(|error| invalid(error.to_string()))
    }
}

/// A value of the app, set when it was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromContext for State<T> {
    fn from_context(context: &Context) -> Result<Self> {
        context
            .state()
            .cloned()
            .map(Self)
            .ok_or_else(missing_state::<T>)
    }

    fn check(state: &Extensions) -> Result<()> {
        state.get::<T>().map(drop).ok_or_else(missing_state::<T>)
    }
}

fn missing_state<T>() -> Error {
    let name = std::any::type_name::<T>();
    Error::config(format!(
        "the handler takes State<{name}>; add one with AppBuilder::state"
    ))
}

/// A value that middleware set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromContext for Extension<T> {
    fn from_context(context: &Context) -> Result<Self> {
        let found = context.extension::<T>().cloned();
        found.map(Self).ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                "WHARF_MISSING_EXTENSION",
                "the server has no such extension; let a middleware set it with \
                     Context::insert",
            )
            .with_context("type", std::any::type_name::<T>())
        })
    }
}

impl FromContext for Arc<Principal> {
    fn from_context(context: &Context) -> Result<Self> {
        context.principal().cloned().ok_or_else(|| {
            Error::new(
                ErrorKind::Unauthorized,
                "WHARF_UNAUTHORIZED",
                "connect with a valid credential",
            )
        })
    }
}

impl FromContext for Principal {
    fn from_context(context: &Context) -> Result<Self> {
        Arc::<Self>::from_context(context).map(|principal| (*principal).clone())
    }
}

/// `None` where it cannot be taken.
impl<T: FromContext> FromContext for Option<T> {
    fn from_context(context: &Context) -> Result<Self> {
        Ok(T::from_context(context).ok())
    }
}
