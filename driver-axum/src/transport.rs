//! axum's own socket over an upgraded connection.

use std::{
    any::{Any, TypeId},
    fmt,
};

use axum::extract::ws::WebSocket;
use futures::future::BoxFuture;
use wharf_sdk::{
    Result,
    driver::{NativePipe, NativeSocket},
};

use crate::native;

pub(crate) fn make_native(
    pipe: NativePipe,
    subprotocol: Option<String>,
) -> BoxFuture<'static, Result<Box<dyn NativeSocket>>> {
    Box::pin(async move {
        let socket = native::make(pipe, subprotocol).await?;
        Ok(Box::new(NativeWebSocket(socket)) as Box<dyn NativeSocket>)
    })
}

/// axum's own [`WebSocket`], as `Socket::native` yields it.
pub struct NativeWebSocket(pub WebSocket);

impl NativeSocket for NativeWebSocket {
    fn type_name(&self) -> &'static str {
        std::any::type_name::<WebSocket>()
    }

    fn part(&mut self, id: TypeId) -> Option<&mut dyn Any> {
        (id == TypeId::of::<WebSocket>()).then_some(&mut self.0 as &mut dyn Any)
    }

    /// axum's socket writes through when it sends.
    fn sync(&mut self) {}
}

impl fmt::Debug for NativeWebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NativeWebSocket")
    }
}
