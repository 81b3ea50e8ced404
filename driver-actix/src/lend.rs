//! TCP connections that a session can take over from actix's dispatcher.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A connection as the dispatcher sees it, until a session asks for it.
pub(crate) struct LentStream {
    lender: Rc<Lender>,
}

/// Takes a connection over.
pub(crate) struct Lender {
    state: RefCell<State>,
}

struct State {
    /// `None` once a session has it: the dispatcher then sees an ended connection.
    stream: Option<TcpStream>,
    /// What the dispatcher wrote has left.
    is_flushed: bool,
    /// A session wants it: the dispatcher reads no further, and this is woken by its next flush.
    claim: Option<Waker>,
}

impl LentStream {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            lender: Rc::new(Lender {
                state: RefCell::new(State {
                    stream: Some(stream),
                    is_flushed: true,
                    claim: None,
                }),
            }),
        }
    }

    pub(crate) fn lender(&self) -> Rc<Lender> {
        Rc::clone(&self.lender)
    }
}

impl Lender {
    /// Stops the dispatcher from reading, and wakes `cx` when it next flushed: what it has written
    /// so far may still be in its buffer.
    pub(crate) fn claim(&self, cx: &Context<'_>) {
        let mut state = self.state.borrow_mut();
        if state.claim.is_none() {
            state.is_flushed = false;
        }
        state.claim = Some(cx.waker().clone());
    }

    /// Takes the claimed connection, once everything before is flushed.
    pub(crate) fn take(&self) -> Option<TcpStream> {
        let mut state = self.state.borrow_mut();
        if state.is_flushed {
            state.stream.take()
        } else {
            None
        }
    }
}

impl AsyncRead for LentStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.lender.state.borrow_mut();
        let is_claimed = state.claim.is_some();
        match &mut state.stream {
            None => Poll::Ready(Ok(())),
            // What comes now is the session's. It is awake already and will take the stream.
            Some(_) if is_claimed => Poll::Pending,
            Some(stream) => Pin::new(stream).poll_read(cx, out),
        }
    }
}

impl AsyncWrite for LentStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.lender.state.borrow_mut();
        state.is_flushed = false;
        match &mut state.stream {
            None => Poll::Ready(Ok(bytes.len())),
            Some(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    /// The dispatcher flushes once it has written all that it has.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.lender.state.borrow_mut();
        if !state.is_flushed {
            state.is_flushed = true;
            if let Some(claim) = &state.claim {
                claim.wake_by_ref();
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.lender.state.borrow_mut().stream {
            None => Poll::Ready(Ok(())),
            Some(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
