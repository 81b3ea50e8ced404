//! A real `actix_ws::Session` and `MessageStream` over a pipe of frames.

use std::{
    any::{Any, TypeId},
    cell::RefCell,
    fmt,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use actix_web::{
    FromRequest,
    body::{BoxBody, MessageBody},
    dev,
    error::PayloadError,
    test::TestRequest,
    web::Payload,
};
use actix_ws::{MessageStream, Session};
use bytes::{Buf, Bytes, BytesMut};
use futures::{FutureExt, future::BoxFuture, stream};
use send_wrapper::SendWrapper;
use tokio::io::{AsyncReadExt, AsyncWrite, ReadHalf, WriteHalf};
use wharf_sdk::{
    Result,
    driver::{NativePipe, NativeSocket},
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
    outlet: SendWrapper<Rc<RefCell<Outlet>>>,
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

    fn sync(&mut self) {
        let mut outlet = self.outlet.borrow_mut();
        // On behalf of the task that pumps: what comes later must wake that.
        let waker = outlet.pump.clone();
        let _ = outlet.poll(&mut Context::from_waker(&waker));
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
            let outlet = Rc::new(RefCell::new(Outlet {
                body: response.into_body(),
                chunk: Bytes::new(),
                writer,
                pump: Waker::noop().clone(),
            }));
            let pumped = Rc::clone(&outlet);
            actix_rt::spawn(poll_fn(move |cx| pumped.borrow_mut().poll(cx)));
            Box::new(NativeSession {
                session,
                stream: SendWrapper::new(stream),
                outlet: SendWrapper::new(outlet),
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
    let stream: Pin<Box<dyn futures::Stream<Item = _>>> = Box::pin(chunks);
    dev::Payload::Stream { payload: stream }
}

/// Moves the frames that the session's response body makes into the pipe.
struct Outlet {
    body: BoxBody,
    chunk: Bytes,
    writer: WriteHalf<NativePipe>,
    /// The task that polls this for as long as the session lives.
    pump: Waker,
}

impl Outlet {
    /// Ready when nothing more will come.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.pump.clone_from(cx.waker());
        loop {
            while !self.chunk.is_empty() {
                match ready!(Pin::new(&mut self.writer).poll_write(cx, &self.chunk)) {
                    Ok(count) => self.chunk.advance(count),
                    Err(_) => return Poll::Ready(()),
                }
            }
            match ready!(Pin::new(&mut self.body).poll_next(cx)) {
                Some(Ok(chunk)) => self.chunk = chunk,
                _ => return Poll::Ready(()),
            }
        }
    }
}
