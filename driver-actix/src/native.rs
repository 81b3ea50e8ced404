//! A real `actix_ws::Session` and `MessageStream` over a pipe of frames.

use std::{
    any::{Any, TypeId},
    fmt,
    pin::pin,
};

use actix_web::{FromRequest, dev, error::PayloadError, test::TestRequest, web::Payload};
use actix_ws::{MessageStream, Session};
use bytes::BytesMut;
use futures::{FutureExt, future::BoxFuture, stream};
use send_wrapper::SendWrapper;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use wharf_sdk::{
    Result,
    wire::{NativePipe, NativeSocket},
};

use crate::error;

/// actix's own socket, as `Socket::native` yields it.
///
/// The stream is bound to its thread, like everything of actix's: a socket that was moved to
/// another thread panics when it asks for it.
pub struct NativeSession {
    /// Writes.
    pub session: Session,
    stream: SendWrapper<MessageStream>,
}

impl NativeSession {
    /// Reads: yields the messages that nobody else asked for first.
    pub fn stream(&mut self) -> &mut MessageStream {
        &mut self.stream
    }
}

impl NativeSocket for NativeSession {
    fn type_name(&self) -> &'static str {
        std::any::type_name::<Session>()
    }

    fn part(&mut self, id: TypeId) -> Option<&mut dyn Any> {
        if id == TypeId::of::<Session>() {
            Some(&mut self.session)
        } else if id == TypeId::of::<MessageStream>() {
            Some(&mut *self.stream)
        } else {
            None
        }
    }
}

impl fmt::Debug for NativeSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NativeSession")
    }
}

/// Lets actix-ws make its pair for a request like the one that was upgraded.
pub(crate) fn make(
    pipe: NativePipe,
    subprotocol: Option<String>,
) -> BoxFuture<'static, Result<Box<dyn NativeSocket>>> {
    // The original request is gone: keeping it would cost every session what few ask for.
    let mut request = TestRequest::get()
        .insert_header(("connection", "upgrade"))
        .insert_header(("upgrade", "websocket"))
        .insert_header(("sec-websocket-version", "13"))
        .insert_header(("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="));
    if let Some(subprotocol) = subprotocol {
        request = request.insert_header(("sec-websocket-protocol", subprotocol));
    }
    let (reader, writer) = tokio::io::split(pipe);
    let request = request.to_http_request();
    // Taking the payload out of a request is the only way to make one, and is always ready.
    let made = Payload::from_request(&request, &mut payload(reader))
        .now_or_never()
        .unwrap_or_else(|| Err(actix_web::error::ErrorInternalServerError("no payload")))
        .and_then(|payload| actix_ws::handle(&request, payload))
        .map_err(|cause| error::native(&cause))
        .map(|(response, session, stream)| {
            actix_rt::spawn(write_out(response.into_body(), writer));
            Box::new(NativeSession {
                session,
                stream: SendWrapper::new(stream),
            }) as Box<dyn NativeSocket>
        });
    futures::future::ready(made).boxed()
}

/// What the pipe brings, as a request's payload.
fn payload(reader: ReadHalf<NativePipe>) -> dev::Payload {
    let chunks = stream::unfold(reader, async |mut reader| {
        let mut chunk = BytesMut::new();
        match reader.read_buf(&mut chunk).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(chunk.freeze()), reader)),
            Err(error) => Some((Err(PayloadError::Io(error)), reader)),
        }
    });
    let stream: std::pin::Pin<Box<dyn futures::Stream<Item = _>>> = Box::pin(chunks);
    dev::Payload::Stream { payload: stream }
}

/// Writes the frames that the session's response body makes.
async fn write_out(body: impl actix_web::body::MessageBody, mut writer: WriteHalf<NativePipe>) {
    let mut body = pin!(body);
    while let Some(Ok(frames)) = std::future::poll_fn(|cx| body.as_mut().poll_next(cx)).await {
        if writer.write_all(&frames).await.is_err() {
            return;
        }
    }
}
