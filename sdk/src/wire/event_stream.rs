//! Server-sent events: a transport whose peer only listens.
//!
//! What the session sends becomes the body of an HTTP response, in the
//! [format of event streams](https://html.spec.whatwg.org/multipage/server-sent-events.html). The
//! peer cannot answer, so what has been taken of the body answers for it: a ping that left counts as
//! answered, and so does a close.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use futures::Stream;

use super::{native::NativeSocket, transport::Transport};
use crate::message::{Error, ErrorKind, Message, Result};

/// With this much waiting to be taken, the session is asked to wait.
const HIGH_WATER_BYTES: usize = 64 * 1024;

/// The session's side.
pub(crate) struct EventStream {
    shared: Arc<Mutex<Shared>>,
    /// The last event's id.
    last_id: u64,
    is_closed: bool,
}

/// The response's body.
pub struct EventStreamBody {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    waiting: BytesMut,
    /// What the peer would answer to what is in `waiting`.
    unearned: VecDeque<Message>,
    /// What it has answered.
    answers: VecDeque<Message>,
    /// The session has ended: the body ends behind what waits.
    is_ended: bool,
    /// The body was dropped: the connection is gone.
    is_gone: bool,
    body: Option<Waker>,
    session: Option<Waker>,
}

impl EventStream {
    /// Makes both sides; ids go on behind `last_id`.
    pub(crate) fn new(last_id: u64) -> (Self, EventStreamBody) {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let body = EventStreamBody {
            shared: Arc::clone(&shared),
        };
        let transport = Self {
            shared,
            last_id,
            is_closed: false,
        };
        (transport, body)
    }

    fn poll_taken(&self, cx: &Context<'_>, at_most: usize) -> Poll<()> {
        let mut shared = lock(&self.shared);
        if shared.waiting.len() <= at_most || shared.is_gone {
            return Poll::Ready(());
        }
        shared.session = Some(cx.waker().clone());
        Poll::Pending
    }

    fn put(&self, text: &str, answer: Option<Message>) {
        let mut shared = lock(&self.shared);
        shared.waiting.extend_from_slice(text.as_bytes());
        shared.unearned.extend(answer);
        let body = shared.body.take();
        drop(shared);
        wake(body);
    }
}

impl Transport for EventStream {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message>>> {
        let mut shared = lock(&self.shared);
        if let Some(answer) = shared.answers.pop_front() {
            return Poll::Ready(Some(Ok(answer)));
        }
        if shared.is_gone {
            return Poll::Ready(None);
        }
        shared.session = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_taken(cx, HIGH_WATER_BYTES).map(Ok)
    }

    fn start_send(&mut self, message: Message) -> Result<()> {
        if self.is_closed {
            return Ok(());
        }
        match message {
            Message::Text(text) => {
                self.last_id += 1;
                self.put(&event(self.last_id, None, &text), None);
            }
            Message::Binary(bytes) => {
                self.last_id += 1;
                let text = STANDARD.encode(bytes);
                self.put(&event(self.last_id, Some("binary"), &text), None);
            }
            // A comment: proxies see that the stream lives.
            Message::Ping(payload) => self.put(":\n\n", Some(Message::Pong(payload))),
            Message::Close(frame) => {
                self.is_closed = true;
                let (code, reason) = frame.as_ref().map_or((1005, ""), |frame| {
                    (frame.code().as_u16(), &**frame.reason())
                });
                let data = serde_json::json!({ "code": code, "reason": reason });
                let text = format!("event: close\ndata: {data}\n\n");
                self.put(&text, Some(Message::Close(frame)));
            }
            _ => {}
        }
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_taken(cx, 0).map(Ok)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut shared = lock(&self.shared);
        shared.is_ended = true;
        let body = shared.body.take();
        drop(shared);
        wake(body);
        self.poll_taken(cx, 0).map(Ok)
    }

    fn rest(&mut self) {}

    fn unsent_bytes(&self) -> usize {
        lock(&self.shared).waiting.len()
    }

    fn poll_native(&mut self, _: &mut Context<'_>) -> Poll<Result<Box<dyn NativeSocket>>> {
        Poll::Ready(Err(Error::new(
            ErrorKind::Unsupported,
            "WHARF_NO_NATIVE",
            "a stream of server-sent events has no native socket; check the transport first",
        )))
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        shared.is_ended = true;
        let body = shared.body.take();
        drop(shared);
        wake(body);
    }
}

impl Stream for EventStreamBody {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut shared = lock(&self.shared);
        if shared.waiting.is_empty() {
            if shared.is_ended {
                return Poll::Ready(None);
            }
            shared.body = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let taken = shared.waiting.split().freeze();
        let earned = std::mem::take(&mut shared.unearned);
        shared.answers.extend(earned);
        let session = shared.session.take();
        drop(shared);
        wake(session);
        Poll::Ready(Some(taken))
    }
}

impl Drop for EventStreamBody {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        shared.is_gone = true;
        shared.waiting = BytesMut::new();
        let session = shared.session.take();
        drop(shared);
        wake(session);
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventStream")
    }
}

impl fmt::Debug for EventStreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventStreamBody")
    }
}

/// One event. Its text is cut into lines as every reader of the format cuts them.
fn event(id: u64, name: Option<&str>, text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    if let Some(name) = name {
        out.push_str("event: ");
        out.push_str(name);
        out.push('\n');
    }
    out.push_str(&format!("id: {id}\n"));
    for line in text.replace("\r\n", "\n").split(['\n', '\r']) {
        out.push_str("data: ");
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
    out
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // The guarded sections only move bytes.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_as_readers_cut_them() {
        assert_eq!(
            event(7, None, "a\r\nb\rc\n"),
            "id: 7\ndata: a\ndata: b\ndata: c\ndata: \n\n"
        );
        assert_eq!(
            event(1, Some("binary"), ""),
            "event: binary\nid: 1\ndata: \n\n"
        );
    }

    #[test]
    fn what_was_taken_answers_for_the_peer() {
        let (mut transport, mut body) = EventStream::new(0);
        let cx = &mut Context::from_waker(Waker::noop());
        transport
            .start_send(Message::Ping(Bytes::from_static(b"p")))
            .expect("taken");
        assert!(transport.poll_recv(cx).is_pending(), "not before it left");
        assert!(Pin::new(&mut body).poll_next(cx).is_ready());
        let answer = transport.poll_recv(cx);
        assert!(matches!(answer, Poll::Ready(Some(Ok(Message::Pong(payload)))) if payload == "p"));
        drop(body);
        assert!(matches!(transport.poll_recv(cx), Poll::Ready(None)));
    }
}
