//! The one loop around the engine.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use futures::future::BoxFuture;
use tokio::time::Sleep;

use crate::{
    message::{CloseCode, CloseFrame, CloseOutcome, Error, ErrorKind, Result},
    session::{
        clock::now,
        end::SessionEnd,
        engine::{Engine, Stage},
        notifier::Notifier,
        shared::{NativeRequest, Shared},
    },
    wire::{Transport, Unfinished},
};

/// A session yields to its neighbours after this many rounds without a pause.
const MAX_ROUNDS: u32 = 32;

/// One connection's life: a future that a driver runs on the connection's task.
///
/// It polls the handler inside itself. Whenever the handler yields, what it wrote is flushed, so
/// the writes of one turn leave together; pings are answered and timers fire meanwhile. It has no
/// `Send` bound of its own: it is as sendable as the transport.
#[must_use = "a session does nothing unless it is spawned or awaited"]
pub struct Session<T: Transport> {
    shared: Arc<Shared>,
    transport: Option<T>,
    /// Gone once it has ended; never there if the socket is in somebody else's hands.
    handler: Option<BoxFuture<'static, Result<()>>>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// When `sleep` fires. It may be early: deadlines mostly move on, and are not worth a reset.
    sleep_until: Option<Instant>,
    /// Whom `sleep` wakes.
    sleep_waker: Option<Waker>,
    /// The last `poll_recv` was not `Pending`, so nothing will wake the task for input.
    input_unpolled: bool,
    notifier: Notifier,
}

impl<T: Transport> Session<T> {
    pub(super) fn new(
        shared: Arc<Shared>,
        transport: T,
        handler: Option<BoxFuture<'static, Result<()>>>,
        ending: SessionEnd,
    ) -> Self {
        Self {
            notifier: Notifier::new(Waker::from(Arc::clone(&shared)), ending),
            shared,
            transport: Some(transport),
            handler,
            sleep: None,
            sleep_until: None,
            sleep_waker: None,
            input_unpolled: false,
        }
    }

    /// Takes in what arrived and what time brought.
    fn input(&mut self, cx: &mut Context<'_>, now: Instant) {
        let mut state = self.shared.lock();
        let engine = &mut state.engine;
        if let Some(transport) = &mut self.transport {
            self.input_unpolled = true;
            while engine.wants_input() {
                match transport.poll_recv(cx) {
                    Poll::Ready(Some(Ok(message))) => engine.handle_message(message, now),
                    Poll::Ready(Some(Err(error))) if error.kind() == ErrorKind::Io => {
                        engine.handle_gone();
                    }
                    Poll::Ready(Some(Err(violation))) => engine.handle_violation(violation, now),
                    Poll::Ready(None) => engine.handle_gone(),
                    Poll::Pending => {
                        self.input_unpolled = false;
                        break;
                    }
                }
            }
        }
        if engine.poll_timeout().is_some_and(|at| at <= now) {
            let transport = self.transport.as_ref();
            let unfinished = transport.map_or_else(Unfinished::default, Transport::unfinished);
            engine.handle_time(unfinished, now);
        }
        // Before the handler's turn, so that it can say a last word to an end that has begun.
        self.notifier.tell(&self.shared, state);
    }

    /// Gives the handler its turn, if something woke it.
    fn run_handler(&mut self, now: Instant) {
        // Taken even if there is no handler any more: a wake for it must not keep the task awake.
        if !self.shared.take_handler_woken() {
            return;
        }
        let Some(handler) = &mut self.handler else {
            return;
        };
        let mut cx = Context::from_waker(self.notifier.handler_waker());
        let polled = catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(&mut cx)));
        let result = match polled {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(result)) => result,
            Err(panic) => Err(Error::panicked(panic)),
        };
        self.drop_handler();
        let (frame, failure) = match result {
            Ok(()) => (CloseFrame::cut(CloseCode::NORMAL, ""), None),
            Err(error) => (self.notifier.close_frame_for(&error), Some(error)),
        };
        // A handler that only passes on that its socket is closed did not fail.
        let failure = failure.filter(|error| error.kind() != ErrorKind::Closed);
        self.shared
            .lock()
            .engine
            .handle_handler_end(frame, failure, now);
    }

    fn drop_handler(&mut self) {
        if let Some(handler) = self.handler.take() {
            // A destructor of the application's may panic; it must not take the session along.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(handler)));
        }
    }

    /// Sends what there is to send, and closes or drops the transport when it is time.
    fn output(&mut self, cx: &mut Context<'_>, now: Instant) -> NextStep {
        let mut state = self.shared.lock();
        let mut dropped = None;
        let mut gone_native = NativeRequest::None;
        if let Some(transport) = &mut self.transport {
            if let Err(_gone) = send(transport, &mut state.engine, cx, now) {
                state.engine.handle_gone();
            }
            if matches!(state.native, NativeRequest::Wanted(_)) {
                poll_native(transport, &mut state.native, cx);
            }
            if state.engine.stage() == Stage::Closing {
                match transport.poll_close(cx) {
                    Poll::Pending => {}
                    Poll::Ready(_) => state.engine.handle_transport_closed(),
                }
            }
            if state.engine.stage() == Stage::Dropped {
                state.engine.handle_traffic(transport.traffic());
                if transport.unsent_bytes() > 0 {
                    transport.abort();
                }
                dropped = self.transport.take();
                gone_native = std::mem::take(&mut state.native);
            }
        }
        if self.transport.is_none() && self.handler.is_some() {
            state.engine.start_handler_grace(now);
        }
        // Looked up under this lock, since what changes the state from here on touches it.
        let next = NextStep {
            wants_input: state.engine.wants_input() && self.transport.is_some(),
            wants_rest: state.engine.wants_rest(),
            deadline: state.engine.poll_timeout(),
        };
        self.notifier.tell(&self.shared, state);
        drop(dropped);
        if let NativeRequest::Wanted(Some(waiting)) = gone_native {
            waiting.wake();
        }
        next
    }

    fn is_over(&mut self) -> bool {
        if self.transport.is_some() {
            return false;
        }
        if self.handler.is_some() && self.shared.lock().engine.is_grace_over() {
            self.drop_handler();
        }
        self.handler.is_none()
    }

    fn finish(&mut self) -> CloseOutcome {
        let (outcome, counts) = {
            let state = self.shared.lock();
            (state.engine.outcome(), state.engine.counts())
        };
        self.notifier.tell_closed(&outcome, counts);
        self.shared.let_go();
        outcome
    }

    /// Sleeps until the next deadline; `true` if it has passed already.
    fn sleep(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>, now: Instant) -> bool {
        let Some(deadline) = deadline else {
            return false;
        };
        match self.sleep_until {
            Some(until) if until <= deadline => {
                let waker = self.sleep_waker.as_ref();
                if until > now && waker.is_some_and(|waker| waker.will_wake(cx.waker())) {
                    // It cannot have fired when this round began, and when it does it wakes us.
                    return false;
                }
            }
            _ => {
                let at = tokio::time::Instant::from_std(deadline);
                match &mut self.sleep {
                    Some(sleep) => sleep.as_mut().reset(at),
                    None => self.sleep = Some(Box::pin(tokio::time::sleep_until(at))),
                }
                self.sleep_until = Some(deadline);
            }
        }
        let fired = self
            .sleep
            .as_mut()
            .is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready());
        if fired {
            self.sleep_until = None;
            self.sleep_waker = None;
        } else {
            self.sleep_waker = Some(cx.waker().clone());
        }
        fired
    }
}

/// What a session does after a round.
struct NextStep {
    wants_input: bool,
    /// The engine has memory to give back.
    wants_rest: bool,
    deadline: Option<Instant>,
}

impl<T: Transport + Unpin> Future for Session<T> {
    type Output = CloseOutcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseOutcome> {
        let this = self.get_mut();
        this.shared.enter(cx.waker());
        let mut wants_rest = false;
        let mut is_at_rest = false;
        for _ in 0..MAX_ROUNDS {
            let now = now();
            this.shared.look();
            this.input(cx, now);
            this.run_handler(now);
            // The output serves what the handler just did; only what comes later needs a round.
            this.shared.look();
            let next = this.output(cx, now);
            if this.is_over() {
                return Poll::Ready(this.finish());
            }
            wants_rest = next.wants_rest;
            is_at_rest = !((next.wants_input && this.input_unpolled)
                || this.sleep(cx, next.deadline, now)
                || !this.shared.leave());
            if is_at_rest {
                break;
            }
        }
        if wants_rest {
            this.shared.lock().engine.rest();
        }
        if !is_at_rest {
            cx.waker().wake_by_ref();
        } else if let Some(transport) = &mut this.transport {
            // Behind the engine, whose messages hold the transport's buffers until then.
            transport.rest();
        }
        Poll::Pending
    }
}

/// A session whose task is dropped has ended too.
impl<T: Transport> Drop for Session<T> {
    fn drop(&mut self) {
        if self.notifier.is_done() {
            return;
        }
        self.transport = None;
        self.drop_handler();
        let mut state = self.shared.lock();
        state.engine.handle_abort();
        // Whoever reads or writes in another task must not wait for ever.
        self.notifier.tell(&self.shared, state);
        self.finish();
    }
}

impl<T: Transport> std::fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("info", &self.shared.info)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

fn send<T: Transport>(
    transport: &mut T,
    engine: &mut Engine,
    cx: &mut Context<'_>,
    now: Instant,
) -> Result<()> {
    while engine.has_output() {
        if transport.poll_ready(cx)?.is_pending() {
            engine.handle_traffic(transport.traffic());
            engine.handle_flush(transport.unsent_bytes(), now);
            return Ok(());
        }
        match engine.poll_transmit() {
            Some(message) => transport.start_send(message)?,
            None => break,
        }
    }
    let flushed = transport.poll_flush(cx)?;
    engine.handle_traffic(transport.traffic());
    match flushed {
        Poll::Ready(()) => engine.handle_flush(0, now),
        // What waits may be below the transport, in a buffer of the connection's.
        Poll::Pending => engine.handle_flush(transport.unsent_bytes().max(1), now),
    }
    Ok(())
}

fn poll_native<T: Transport>(transport: &mut T, request: &mut NativeRequest, cx: &mut Context<'_>) {
    if let Poll::Ready(made) = transport.poll_native(cx)
        && let NativeRequest::Wanted(Some(waiting)) =
            std::mem::replace(request, NativeRequest::Made(made))
    {
        // The handler's waker takes no lock.
        waiting.wake();
    }
}
