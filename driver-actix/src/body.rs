//! The body behind a 101 where the connection stays the dispatcher's.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use actix_web::{
    body::{BodySize, MessageBody},
    web::Payload,
};
use bytes::{Buf, Bytes, BytesMut};
use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much a session may put into the body before it waits for the dispatcher to take it.
const BODY_BYTES: usize = 16 * 1024;

/// The body of a mounted session: bytes that the dispatcher carries.
pub(crate) struct SharedBody {
    state: Rc<RefCell<State>>,
}

/// The session's side of a [`SharedBody`] and of the request's payload.
pub(crate) struct SharedIo {
    state: Rc<RefCell<State>>,
    /// `None` once the session ended the connection: the dispatcher waits for its reader to go.
    payload: Option<Payload>,
    chunk: Bytes,
}

#[derive(Default)]
struct State {
    outbound: BytesMut,
    /// The session has ended: the body ends behind what is left.
    is_ended: bool,
    /// The session has ended without the closing that it owes: so does the connection.
    is_aborted: bool,
    /// The dispatcher has dropped the body: the connection is gone.
    is_gone: bool,
    dispatcher: Option<Waker>,
    /// Of the session, or behind its end of who waits for the connection's.
    session: Option<Waker>,
    /// Of who waits for the session to be done with the connection.
    watch: Option<Waker>,
}

impl SharedBody {
    pub(crate) fn new(payload: Payload) -> (Self, SharedIo) {
        let state = Rc::new(RefCell::new(State::default()));
        let io = SharedIo {
            state: Rc::clone(&state),
            payload: Some(payload),
            chunk: Bytes::new(),
        };
        (Self { state }, io)
    }
}

/// Sees the connection's end, which comes with the body's.
pub(crate) struct Watch {
    state: Rc<RefCell<State>>,
}

impl Watch {
    /// Waits until the session is done with the connection. Its handler may still run.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(crate) async fn ended(&self) {
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            if state.is_ended {
                return Poll::Ready(());
            }
            state.watch = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Waits until the dispatcher has dropped the body.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(crate) async fn gone(&self) {
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            if state.is_gone {
                return Poll::Ready(());
            }
            state.session = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Has the dispatcher drop the connection when it next asks for more.
    pub(crate) fn abort(&self) {
        let mut state = self.state.borrow_mut();
        state.is_aborted = true;
        wake(&mut state.dispatcher);
    }
}

impl MessageBody for SharedBody {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, io::Error>>> {
        let mut state = self.state.borrow_mut();
        if state.is_aborted {
            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
        }
        if state.outbound.is_empty() {
            if state.is_ended {
                return Poll::Ready(None);
            }
            state.dispatcher = Some(cx.waker().clone());
            return Poll::Pending;
        }
        wake(&mut state.session);
        Poll::Ready(Some(Ok(state.outbound.split().freeze())))
    }
}

impl Drop for SharedBody {
    fn drop(&mut self) {
        let mut state = self.state.borrow_mut();
        state.is_gone = true;
        wake(&mut state.session);
    }
}

impl AsyncRead for SharedIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.chunk.is_empty() {
            let Some(payload) = &mut this.payload else {
                return Poll::Ready(Ok(()));
            };
            match Pin::new(payload).poll_next(cx) {
                Poll::Ready(Some(Ok(chunk))) => this.chunk = chunk,
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(io::Error::other(error)));
                }
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    let mut state = this.state.borrow_mut();
                    if state.is_gone {
                        return Poll::Ready(Ok(()));
                    }
                    state.session = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
        let count = this.chunk.len().min(out.remaining());
        out.put_slice(&this.chunk[..count]);
        this.chunk.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SharedIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state.borrow_mut();
        if state.is_gone || state.is_ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = BODY_BYTES.saturating_sub(state.outbound.len());
        if room == 0 {
            state.session = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = room.min(bytes.len());
        state.outbound.extend_from_slice(&bytes[..count]);
        wake(&mut state.dispatcher);
        Poll::Ready(Ok(count))
    }

    /// Flushed is what the dispatcher has taken.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state.borrow_mut();
        if state.outbound.is_empty() || state.is_gone {
            return Poll::Ready(Ok(()));
        }
        state.session = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Ends the body; the dispatcher then closes the connection.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.end();
        this.payload = None;
        Poll::Ready(Ok(()))
    }
}

impl SharedIo {
    /// To see the connection's end by, which outlives the session's.
    pub(crate) fn watch(&self) -> Watch {
        Watch {
            state: Rc::clone(&self.state),
        }
    }

    fn end(&self) {
        let mut state = self.state.borrow_mut();
        state.is_ended = true;
        wake(&mut state.dispatcher);
        wake(&mut state.watch);
    }
}

impl Drop for SharedIo {
    fn drop(&mut self) {
        let is_aborted = !self.state.borrow().is_ended;
        self.state.borrow_mut().is_aborted = is_aborted;
        self.end();
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
