//! The one loop around the engine.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::task::waker_ref;
use tokio::task::unconstrained;

use crate::{
    message::{
        CloseCode, CloseFrame, CloseOutcome, Error, ErrorKind, Message, Phase, Result, catch,
    },
    session::{
        alarm::Alarm,
        batch,
        clock::now,
        end::SessionEnd,
        engine::{Arrived, InputRoom, Outbound, Outgoing, Stage},
        handler::Handler,
        moment::Moment,
        notifier::Notifier,
        seen::Direction,
        shared::{NativeRequest, Shared},
        turn,
    },
    wire::{Traffic, Transport, Unfinished},
};

/// A session yields to its neighbours after this many rounds without a pause,
const MAX_ROUNDS: u32 = 32;

/// or this many frames, of whatever kind,
const MAX_FRAMES: usize = 64;

/// or this much time: no round begins later.
const SLICE: Duration = Duration::from_micros(500);

/// One connection's life: a future that a driver runs on the connection's task.
///
/// It polls the handler inside itself. Whenever the handler yields, what it wrote is flushed, so
/// the writes of one turn leave together; pings are answered and timers fire meanwhile. It has no
/// `Send` bound of its own: it is as sendable as the transport.
#[must_use = "a session does nothing unless it is spawned or awaited"]
pub struct Session<T: Transport> {
    shared: Arc<Shared>,
    transport: Option<T>,
    handler: Handler,
    alarm: Alarm,
    /// The last `poll_recv` was not `Pending`, so nothing will wake the task for input.
    input_unpolled: bool,
    /// A large message is left with the peer.
    holds_large: bool,
    /// How much may be read, when the state was last looked at.
    room: InputRoom,
    /// Taken from the queue, and not by the transport yet.
    in_hand: Outbound,
    notifier: Notifier,
}

/// What a session may still do before it yields.
struct Turn {
    frames_left: usize,
}

/// How the peer's side ended.
enum End {
    Gone,
    Violation(Error),
}

/// What became of a round's output.
#[derive(Default)]
struct Sent {
    /// What the transport was handed, as it goes over the wire; where the transport counts that
    /// itself, 0.
    taken_bytes: u64,
    /// What has not left the process.
    unsent_bytes: usize,
    /// What has gone over the connection so far, where the transport can tell.
    traffic: Option<Traffic>,
    /// The transport would take more.
    is_unfinished: bool,
    is_gone: bool,
    panic: Option<Error>,
}

impl<T: Transport> Session<T> {
    pub(super) fn new(
        shared: Arc<Shared>,
        transport: T,
        handler: Handler,
        ending: SessionEnd,
    ) -> Self {
        let room = shared.lock().engine.input_room();
        Self {
            notifier: Notifier::new(ending),
            room,
            in_hand: Outbound::new(),
            shared,
            transport: Some(transport),
            handler,
            alarm: Alarm::ringing(),
            input_unpolled: false,
            holds_large: false,
        }
    }

    /// Takes in what arrived and what time brought, and hears what others did.
    fn input(
        &mut self,
        cx: &mut Context<'_>,
        (now, moment): (Instant, Moment),
        is_touched: bool,
        turn: &mut Turn,
    ) {
        let mut batch = Arrived::in_list(batch::lend());
        let mut has_news = is_touched;
        loop {
            let end = self.receive(cx, &mut batch, turn);
            let may_be_due = self.alarm.rings(moment);
            has_news |= !batch.is_empty() || end.is_some() || may_be_due;
            if !has_news {
                break;
            }
            let mut state = self.shared.lock();
            if let Some(taps) = state.taps() {
                taps.see(Direction::In, batch.iter());
            }
            let engine = &mut state.engine;
            if !batch.is_empty() {
                engine.handle_messages(&mut batch, now);
            }
            match end {
                Some(End::Gone) => engine.handle_gone(),
                Some(End::Violation(violation)) => engine.handle_violation(violation, now),
                None => {}
            }
            self.room = engine.input_room();
            if self.input_unpolled && self.room.messages > 0 && turn.frames_left > 0 {
                // A rate limit lets one message through at a time.
                continue;
            }
            // A deadline that has only now been set, and has passed, rings at the end of this round.
            if may_be_due && engine.poll_deadline() <= moment {
                let transport = self.transport.as_ref();
                let unfinished = transport.map_or_else(Unfinished::default, Transport::unfinished);
                engine.handle_time(unfinished, now);
                self.room = engine.input_room();
            }
            // Before the handler's turn, so that it can say a last word to an end that has begun.
            self.notifier.tell(&self.shared, state);
            break;
        }
        batch::give_back(batch.into_messages());
    }

    /// Reads what there is room for. Nothing is locked: senders go on meanwhile.
    fn receive(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut Arrived,
        turn: &mut Turn,
    ) -> Option<End> {
        let transport = self.transport.as_mut()?;
        self.input_unpolled = true;
        if self.room.messages == 0 {
            // Somebody may have read since.
            self.room = self.shared.lock().engine.input_room();
        }
        let mut room = self.room;
        while room.messages > 0 && room.bytes > 0 && turn.frames_left > 0 {
            let message = match transport.poll_recv(cx) {
                Poll::Ready(Some(Ok(message))) => message,
                Poll::Ready(Some(Err(error))) if error.kind() != ErrorKind::Io => {
                    return Some(End::Violation(error));
                }
                Poll::Ready(_) => return Some(End::Gone),
                Poll::Pending => {
                    self.input_unpolled = false;
                    return None;
                }
            };
            turn.frames_left -= 1;
            match message {
                Message::Ping(_) | Message::Pong(_) => {}
                // Nothing that comes behind it counts.
                Message::Close(_) => room.messages = 0,
                _ => {
                    room.messages -= 1;
                    let bytes = u16::try_from(message.payload_bytes()).unwrap_or(u16::MAX);
                    room.bytes = room.bytes.saturating_sub(bytes);
                }
            }
            batch.push(message);
        }
        None
    }

    /// Gives the handler its turn, if something woke it.
    fn run_handler(&mut self, now: Instant) {
        // Taken even if there is no handler any more: a wake for it must not keep the task awake.
        if !self.shared.bell.take_handler_call() {
            return;
        }
        if self.handler.is_gone() {
            return;
        }
        let waker = waker_ref(&self.shared);
        let mut cx = Context::from_waker(&waker);
        turn::begin(&self.shared);
        let result = catch(|| self.handler.poll(&self.shared, &mut cx));
        if let Some(unread) = turn::end() {
            self.shared.lock().engine.unread(unread);
        }
        let result = match result {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(result)) => result,
            Err(panic) => Err(panic),
        };
        self.drop_handler();
        let (frame, failure) = match result {
            Ok(()) => (CloseFrame::cut(CloseCode::NORMAL, ""), None),
            Err(error) => (self.notifier.close_frame_for(&error), Some(error)),
        };
        // A handler that only passes on that its socket is closed did not fail.
        let failure = failure.filter(|error| error.kind() != ErrorKind::Closed);
        let mut state = self.shared.lock();
        state.engine.handle_handler_end(frame, failure, now);
    }

    fn drop_handler(&mut self) {
        let handler = self.handler.take();
        // A destructor of the application's may panic; it must not take the session along.
        if let Err(panic) = catch(|| drop(handler)) {
            let panic = panic.in_phase(Phase::Handler);
            self.shared.lock().engine.note_failure(panic);
        }
    }

    /// Sends what there is to send, and closes or drops the transport when it is time.
    fn output(&mut self, cx: &mut Context<'_>, now: Instant) -> NextStep {
        let sent = self.transmit(cx);
        let mut state = self.shared.lock();
        let engine = &mut state.engine;
        if let Some(panic) = sent.panic {
            engine.handle_panic(panic, now);
        }
        engine.handle_traffic(sent.traffic);
        if self.in_hand.is_empty() {
            engine.give_back(std::mem::take(&mut self.in_hand));
        }
        if sent.is_gone {
            engine.handle_gone();
        } else if self.transport.is_some() {
            engine.handle_flush(sent.taken_bytes, sent.unsent_bytes, now);
        }
        if self.transport.is_some() && state.wants_native() {
            drop(state);
            self.make_native(cx);
            state = self.shared.lock();
        }
        if state.engine.stage() == Stage::Closing && self.in_hand.is_empty() {
            drop(state);
            let is_closed = self.poll_close(cx);
            state = self.shared.lock();
            if is_closed {
                state.engine.handle_transport_closed();
            }
        }
        let mut dropped = None;
        let mut gone_native = NativeRequest::None;
        if state.engine.stage() == Stage::Dropped {
            dropped = self.transport.take();
            let traffic = dropped.as_ref().and_then(Transport::traffic);
            state.engine.handle_traffic(traffic);
            gone_native = state.take_native();
            for unsent in std::mem::take(&mut self.in_hand) {
                state.engine.discard(unsent.message);
            }
        }
        if self.transport.is_none() && !self.handler.is_gone() {
            state.engine.start_handler_grace(now);
        }
        // Looked up under this lock, since what changes the state from here on touches it.
        self.room = state.engine.input_room();
        let holds_large = state.engine.holds_large();
        if let Some(transport) = &mut self.transport
            && self.holds_large != holds_large
        {
            transport.hold_large(holds_large);
            self.holds_large = holds_large;
            self.input_unpolled = true;
        }
        let next = NextStep {
            wants_input: self.room.messages > 0 && self.transport.is_some(),
            wants_output: sent.is_unfinished && self.transport.is_some(),
            wants_rest: state.engine.wants_rest(),
            deadline: state.engine.poll_deadline(),
        };
        self.notifier.tell(&self.shared, state);
        if let Some(transport) = dropped {
            self.drop_transport(transport);
        }
        if let NativeRequest::Wanted(Some(waiting)) = gone_native {
            waiting.wake();
        }
        next
    }

    /// Takes messages out of the queue and hands them to the transport, until either has no more,
    /// and flushes. Nothing is locked while they are encoded and written.
    fn transmit(&mut self, cx: &mut Context<'_>) -> Sent {
        let Some(transport) = &mut self.transport else {
            return Sent::default();
        };
        let (shared, in_hand) = (&self.shared, &mut self.in_hand);
        // What is sent here has bounds of its own. Out of the task's budget, a handler that uses it
        // up would see to it that nothing ever leaves.
        let sending = unconstrained(poll_fn(|cx| {
            Poll::Ready(send(transport, shared, in_hand, cx))
        }));
        match pin!(sending).poll(cx) {
            Poll::Ready(sent) => sent,
            Poll::Pending => Sent::default(),
        }
    }

    fn make_native(&mut self, cx: &mut Context<'_>) {
        let Some(transport) = &mut self.transport else {
            return;
        };
        let Poll::Ready(made) = transport.poll_native(cx) else {
            return;
        };
        let mut state = self.shared.lock();
        let request = state.take_native();
        state.set_native(NativeRequest::Made(made));
        drop(state);
        if let NativeRequest::Wanted(Some(waiting)) = request {
            waiting.wake();
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> bool {
        let transport = self.transport.as_mut();
        transport.is_some_and(|transport| transport.poll_close(cx).is_ready())
    }

    /// Drops the connection. Unsent payloads may be dropped with it.
    fn drop_transport(&self, mut transport: T) {
        let dropped = catch(move || {
            if transport.unsent_bytes() > 0 {
                transport.abort();
            }
            drop(transport);
        });
        if let Err(panic) = dropped {
            self.notifier
                .tell_failed(&self.shared, &panic.in_phase(Phase::Session));
        }
    }

    fn is_over(&mut self) -> bool {
        if self.transport.is_some() {
            return false;
        }
        if !self.handler.is_gone() && self.shared.lock().engine.is_grace_over() {
            self.drop_handler();
        }
        self.handler.is_gone()
    }

    fn finish(&mut self) -> CloseOutcome {
        let (outcome, counts) = {
            let state = self.shared.lock();
            (state.engine.outcome(), state.engine.counts())
        };
        self.notifier.tell_closed(&self.shared, &outcome, counts);
        self.shared.let_go();
        outcome
    }
}

/// What a session does after a round.
struct NextStep {
    wants_input: bool,
    wants_output: bool,
    /// The engine has memory to give back.
    wants_rest: bool,
    /// When a timer is due.
    deadline: Moment,
}

impl<T: Transport + Unpin> Future for Session<T> {
    type Output = CloseOutcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseOutcome> {
        let this = self.get_mut();
        this.shared.bell.enter(cx.waker());
        let mut turn = Turn {
            frames_left: MAX_FRAMES,
        };
        let mut began = None;
        let mut wants_rest = false;
        let mut is_at_rest = false;
        for _ in 0..MAX_ROUNDS {
            let now = now();
            if turn.frames_left == 0 || now >= *began.get_or_insert(now) + SLICE {
                break;
            }
            // Once for all of the round.
            let moment = Moment::of(now);
            let is_touched = this.shared.bell.look();
            this.input(cx, (now, moment), is_touched, &mut turn);
            this.run_handler(now);
            // The output serves what the handler just did; only what comes later needs a round.
            this.shared.bell.look();
            let next = this.output(cx, now);
            if this.is_over() {
                return Poll::Ready(this.finish());
            }
            wants_rest = next.wants_rest;
            is_at_rest = !((next.wants_input && this.input_unpolled)
                || next.wants_output
                || this.alarm.set(next.deadline, moment, &this.shared)
                || !this.shared.bell.leave());
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
        self.alarm.stop(&self.shared);
        if self.notifier.is_done() {
            return;
        }
        if let Some(transport) = self.transport.take() {
            self.drop_transport(transport);
        }
        self.drop_handler();
        let mut state = self.shared.lock();
        for unsent in std::mem::take(&mut self.in_hand) {
            state.engine.discard(unsent.message);
        }
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

/// How many times before the input is looked at again.
const MAX_BATCHES: usize = 4;

fn send<T: Transport>(
    transport: &mut T,
    shared: &Shared,
    in_hand: &mut Outbound,
    cx: &mut Context<'_>,
) -> Sent {
    let mut sent = Sent::default();
    let flushed = send_all(transport, shared, in_hand, &mut sent, cx);
    match flushed {
        Ok(true) => {}
        // What waits may be below the transport, in a buffer of the connection's.
        Ok(false) => {
            let in_hand = in_hand.iter().map(|unsent| unsent.message.payload_bytes());
            let held_bytes = transport.unsent_bytes() + in_hand.sum::<usize>();
            sent.unsent_bytes = held_bytes.max(1);
        }
        Err(_gone) => sent.is_gone = true,
    }
    sent.traffic = transport.traffic();
    sent
}

/// Whether everything has left.
fn send_all<T: Transport>(
    transport: &mut T,
    shared: &Shared,
    in_hand: &mut Outbound,
    sent: &mut Sent,
    cx: &mut Context<'_>,
) -> Result<bool> {
    for _ in 0..MAX_BATCHES {
        // A transport that is full leaves the queue as it is: what waits there can be reordered and
        // dropped.
        if transport.unsent_bytes() > 0 && transport.poll_ready(cx)?.is_pending() {
            return Ok(false);
        }
        // What was left in hand is not all there is.
        sent.is_unfinished = !in_hand.is_empty() || take_batch(shared, in_hand);
        while !in_hand.is_empty() {
            // Where payloads are copied they are dropped too, by code of the application's perhaps.
            match catch(|| hand_over(transport, in_hand, sent, cx)) {
                Ok(Poll::Ready(handed_over)) => handed_over?,
                Ok(Poll::Pending) => return Ok(false),
                // Those behind the one that panicked go on.
                Err(panic) => sent.panic = Some(panic),
            }
        }
        if !sent.is_unfinished {
            break;
        }
    }
    Ok(transport.poll_flush(cx)?.is_ready())
}

/// Takes what is sent next; `true` if there is more.
fn take_batch(shared: &Shared, in_hand: &mut Outbound) -> bool {
    let mut state = shared.lock();
    let first = in_hand.len();
    let has_more = state.engine.take_batch(in_hand);
    if let Some(taps) = state.taps() {
        let taken = in_hand.range(first..);
        taps.see(Direction::Out, taken.map(|next| next.message.message()));
    }
    has_more
}

/// Hands over what is in hand, as far as the transport takes it.
fn hand_over<T: Transport>(
    transport: &mut T,
    in_hand: &mut Outbound,
    sent: &mut Sent,
    cx: &mut Context<'_>,
) -> Poll<Result<()>> {
    let is_counted = transport.traffic().is_some();
    while let Some(next) = in_hand.pop_front() {
        if transport.poll_ready(cx)?.is_pending() {
            in_hand.push_front(next);
            return Poll::Pending;
        }
        if is_counted {
            start_send(transport, next.message)?;
        } else {
            let before = transport.unsent_bytes();
            start_send(transport, next.message)?;
            sent.taken_bytes += transport.unsent_bytes().saturating_sub(before) as u64;
        }
    }
    Poll::Ready(Ok(()))
}

#[inline]
fn start_send<T: Transport>(transport: &mut T, message: Outgoing) -> Result<()> {
    match message {
        Outgoing::Own(message) => transport.start_send(message),
        Outgoing::Shared(shared) => transport.start_send_shared(&shared),
    }
}
