//! The body behind a 101 that hands the connection over.

use std::{
    convert::Infallible,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    body::{BodySize, MessageBody},
    web::Payload,
};
use bytes::{Bytes, BytesMut};
use futures::{FutureExt, Stream};
use wharf_sdk::driver::{Connection, Upgrade};

use crate::{lend::Lender, link::Link, transport};

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
        let Some((link, seat)) = this.lender.take() else {
            return Poll::Pending;
        };
        let seat = seat.settle();
        if let Some(upgrade) = this.upgrade.take() {
            let early = std::mem::take(&mut this.early).freeze();
            match link {
                Link::Plain(stream) => {
                    // The worker has prepared it.
                    let session = Connection::new(stream)
                        .with_early(early)
                        .with_abort(|stream| drop(stream.set_zero_linger()));
                    let session = transport::session(session, upgrade);
                    actix_rt::spawn(session.map(|_| drop(seat)));
                }
                #[cfg(feature = "tls")]
                link => {
                    let session = Connection::new(link)
                        .with_early(early)
                        .with_abort(Link::abort);
                    let session = transport::session(session, upgrade);
                    actix_rt::spawn(session.map(|_| drop(seat)));
                }
            }
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
