//! Response bodies behind a 101: where a session gets its bytes from and puts them.

use std::{
    cell::RefCell,
    convert::Infallible,
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
use wharf_sdk::driver::{Connection, Upgrade};

use crate::{lend::Lender, transport};

/// Hands the connection over to a session once the 101 has left, and ends.
pub(crate) struct HandoverBody {
    lender: Rc<Lender>,
    payload: Payload,
    early: BytesMut,
    upgrade: Option<Upgrade>,
}

impl HandoverBody {
    pub(crate) fn new(lender: Rc<Lender>, payload: Payload, upgrade: Upgrade) -> Self {
        lender.switch();
        Self {
            lender,
            payload,
            early: BytesMut::new(),
            upgrade: Some(upgrade),
        }
    }
}

impl MessageBody for HandoverBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = self.get_mut();
        this.lender.claim(cx);
        // Bytes that the dispatcher read before it was stopped come through the payload. They have
        // all come when a whole turn of the dispatcher brought none.
        let mut came = false;
        while let Poll::Ready(Some(Ok(chunk))) = Pin::new(&mut this.payload).poll_next(cx) {
            this.early.extend_from_slice(&chunk);
            came = true;
        }
        if came {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some((stream, place)) = this.lender.take() else {
            return Poll::Pending;
        };
        if let Some(upgrade) = this.upgrade.take() {
            let early = std::mem::take(&mut this.early).freeze();
            transport::spawn(Connection::tcp(stream).with_early(early), upgrade, place);
        }
        Poll::Ready(None)
    }
}

impl Drop for HandoverBody {
    fn drop(&mut self) {
        if let Some(upgrade) = self.upgrade.take() {
            upgrade.fail("the connection ended before the 101 had left");
        }
    }
}

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
    /// The dispatcher has dropped the body: the connection is gone.
    is_gone: bool,
    dispatcher: Option<Waker>,
    session: Option<Waker>,
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

impl MessageBody for SharedBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let mut state = self.state.borrow_mut();
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
    fn end(&self) {
        let mut state = self.state.borrow_mut();
        state.is_ended = true;
        wake(&mut state.dispatcher);
    }
}

impl Drop for SharedIo {
    fn drop(&mut self) {
        self.end();
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
