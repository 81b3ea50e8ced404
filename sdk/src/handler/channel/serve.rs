//! One event that runs: what is around its function, and the one reply.

use std::{
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use futures::FutureExt;
use tokio::time::timeout;

use super::{
    call::Call,
    envelope::{CallId, Replies},
    peer::ChannelPeer,
    policies::EventErrors,
    terms::Terms,
};
use crate::{
    handler::middleware::Inbound,
    message::{CloseFrame, Error, ErrorKind, Message, Result},
    policy::{LONGEST, SlowClient},
};

/// Serves one event with what its function will return, the reply but for its last brace, and
/// replies once.
pub(super) async fn event(
    call: &Call,
    terms: &Terms,
    served: Pin<&mut (impl Future<Output = Result<Vec<u8>>> + Send)>,
) -> Result<()> {
    let error = match guarded(call, terms, served).await {
        Ok(_) if !call.wants_reply() => return Ok(()),
        Ok(reply) => return send(call.peer(), Replies::end(reply)?).await,
        Err(error) => error,
    };
    let policies = call.policies();
    let policy = match error.kind() {
        ErrorKind::Decode => policies.invalid,
        // Who may not, or not so often, is always told.
        ErrorKind::Forbidden | ErrorKind::Unauthorized | ErrorKind::RateLimited => {
            EventErrors::Reply
        }
        _ => policies.failed,
    };
    let error = error.with_context("event", call.name());
    refuse(call.peer(), policy, call.id(), error).await
}

/// Runs what a channel does before the server closes its connection. Its failure is no reason to
/// close it otherwise.
pub(super) async fn farewell(
    call: &Call,
    said: Pin<&mut (impl Future<Output = Result<Vec<u8>>> + Send)>,
) {
    // The shutdown has a deadline, shortly before which it closes the connection in any case.
    if let Err(error) = bounded(LONGEST, said).await {
        call.peer().sender().tell_observers(error);
    }
}

/// Checks who may send the event and how often, then runs what is around its function, and it.
async fn guarded(
    call: &Call,
    terms: &Terms,
    served: Pin<&mut (impl Future<Output = Result<Vec<u8>>> + Send)>,
) -> Result<Vec<u8>> {
    terms.admit(call)?;
    if call.policies().middleware.is_empty() {
        return bounded(terms.timeout, served).await;
    }
    // Apart, so that events without middleware take no room for it.
    Box::pin(inside(call, terms, served)).await
}

/// Runs an event's function inside of the channel's middleware.
async fn inside(
    call: &Call,
    terms: &Terms,
    served: Pin<&mut (impl Future<Output = Result<Vec<u8>>> + Send)>,
) -> Result<Vec<u8>> {
    let middleware = &call.policies().middleware;
    let sender = call.peer().sender();
    let inbound = Inbound::of_event(call.context(), sender, call.name(), call.data());
    let mut entered = 0;
    let served = async {
        middleware.before(&inbound, &mut entered).await?;
        served.await
    };
    let outcome = bounded(terms.timeout, served).await;
    let after = middleware.after(&inbound, entered, outcome.as_ref().map(|_| ()));
    // What is around it has as long again to hear what came of it.
    let _ = timeout(terms.timeout, after).await;
    outcome
}

/// Runs what the application does for an event: for so long, and whether or not it panics.
async fn bounded<T>(limit: Duration, served: impl Future<Output = Result<T>>) -> Result<T> {
    let mut served = pin!(AssertUnwindSafe(served).catch_unwind());
    // Most are through at once, and need no timer.
    let at_once = poll_fn(|cx| Poll::Ready(served.as_mut().poll(cx))).await;
    let outcome = match at_once {
        Poll::Ready(outcome) => Ok(outcome),
        Poll::Pending => Box::pin(timeout(limit, served)).await,
    };
    match outcome {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(Error::panicked(panic)),
        Err(_) => Err(Error::new(
            ErrorKind::Timeout,
            "WHARF_EVENT_TIMEOUT",
            "serving the event took too long; try again later",
        )),
    }
}

/// Tells the peer, or not, what was wrong, and the observers in any case.
pub(super) async fn refuse(
    peer: &ChannelPeer,
    policy: EventErrors,
    id: Option<&CallId>,
    error: Error,
) -> Result<()> {
    if policy == EventErrors::Close {
        // Ends the session with the code of its kind, and tells the observers.
        let frame = match error.close_frame() {
            Some(frame) => frame.clone(),
            None => CloseFrame::cut(error.kind().close_code(), ""),
        };
        return Err(error.with_close(frame));
    }
    let answer =
        (policy == EventErrors::Reply || id.is_some()).then(|| peer.envelope().error(id, &error));
    peer.sender().tell_observers(error);
    match answer {
        Some(answer) => send(peer, answer).await,
        None => Ok(()),
    }
}

/// Sends a reply, which is owed: it is not dropped with the chatter. A peer that has gone needs none.
async fn send(peer: &ChannelPeer, message: Message) -> Result<()> {
    match peer.sender().send_under(SlowClient::Wait, message).await {
        Err(error) if error.kind() == ErrorKind::Closed => Ok(()),
        sent => sent,
    }
}
