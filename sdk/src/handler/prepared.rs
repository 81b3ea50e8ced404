//! A handler that has all but its socket.

use futures::future::BoxFuture;

use crate::{message::Result, session::Socket};

/// A handler with its arguments, waiting for its socket.
pub type Prepared = Box<dyn FnOnce(Socket) -> BoxFuture<'static, Result<()>> + Send>;
