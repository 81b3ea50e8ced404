//! A session as the loop around the engine lives it, without a transport, a task or a clock.

use std::{
    iter,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use bytestring::ByteString;

use super::{
    super::{Admission, Arrived, Engine, LazyDeque, Stage},
    promises::{Expected, Promises},
};
use crate::{
    message::{CloseFrame, CloseOutcome, Error, Message},
    policy::{LONGEST, Limits, SlowClient},
    wire::{Unfinished, server_frame_bytes},
};

/// What the transport makes of one turn's output.
#[derive(Debug, Clone, Copy)]
pub(super) enum Output {
    /// Everything reaches the peer.
    Flushed,
    /// It takes this many messages, of which the peer takes this many bytes.
    Stuck { messages: usize, bytes: usize },
    /// The connection breaks.
    Broken,
}

#[derive(Debug)]
pub(super) struct Life {
    engine: Engine,
    promises: Promises,
    limits: Arc<Limits>,
    born: Instant,
    pub(super) now: Instant,
    /// What the transport has counted, until it is dropped.
    connection: Option<Connection>,
    has_handler: bool,
    outcome: Option<CloseOutcome>,
}

#[derive(Debug, Default)]
struct Connection {
    is_stuck: bool,
    unsent_bytes: usize,
    unfinished: Unfinished,
    last_ping: Bytes,
}

impl Life {
    pub(super) fn new(limits: Limits, expires_in: Option<Duration>) -> Self {
        let limits = Arc::new(limits);
        let now = Instant::now();
        let expires_at = expires_in.map(|after| now + after);
        Self {
            engine: Engine::new(Arc::clone(&limits), expires_at, now),
            promises: Promises::new(Arc::clone(&limits)),
            limits,
            born: now,
            now,
            connection: Some(Connection::default()),
            has_handler: true,
            outcome: None,
        }
    }

    /// Time passes, up to an age that leaves room for the deadlines of the end: a session counts five
    /// centuries.
    pub(super) fn wait_until(&mut self, at: Instant) {
        let oldest = self.born + 2 * LONGEST;
        self.now = at.min(oldest).max(self.now);
    }

    pub(super) fn is_over(&self) -> bool {
        self.outcome.is_some()
    }

    pub(super) fn has_handler(&self) -> bool {
        self.has_handler
    }

    pub(super) fn wants_input(&self) -> bool {
        self.connection.is_some() && self.engine.wants_input()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.engine.poll_timeout()
    }

    /// The payload that a pong must have to answer our last ping.
    pub(super) fn last_ping(&self) -> Bytes {
        let connection = self.connection.as_ref();
        connection.map_or_else(Bytes::new, |connection| connection.last_ping.clone())
    }

    pub(super) fn receive(&mut self, message: &Message) {
        if let Some(connection) = &mut self.connection
            && message.is_data()
        {
            connection.unfinished = Unfinished::default();
        }
        // The account is made with what the engine then holds.
        let mut arrived = Arrived::default();
        arrived.push(message.clone());
        self.engine.handle_messages(&mut arrived, self.now);
        self.promises.received(message, &self.engine);
        self.check();
    }

    /// Bytes of a message that is not complete arrive.
    pub(super) fn arrive(&mut self, bytes: u64) {
        if let Some(connection) = &mut self.connection {
            connection.unfinished.bytes += bytes;
        }
    }

    pub(super) fn receive_violation(&mut self, violation: Error) {
        self.engine.handle_violation(violation, self.now);
        self.check();
    }

    pub(super) fn receive_end(&mut self) {
        self.engine.handle_gone();
        self.check();
    }

    /// Lets what is due fire.
    pub(super) fn look_at_time(&mut self) {
        if self.engine.poll_timeout().is_some_and(|at| at <= self.now) {
            let connection = self.connection.as_ref();
            let unfinished = connection.map(|connection| connection.unfinished);
            self.engine
                .handle_time(unfinished.unwrap_or_default(), self.now);
        }
        self.check();
    }

    pub(super) fn drain(&mut self, frame: CloseFrame) {
        let is_over = self.engine.is_closing();
        self.engine.handle_drain(frame, self.now);
        assert!(self.engine.is_closing());
        self.promises.drained(is_over);
        self.check();
    }

    pub(super) fn read(&mut self) {
        if !self.promises.has_reader() {
            return;
        }
        let is_readable = self.engine.is_readable();
        let read = self.engine.read();
        assert_eq!(is_readable, read.is_some());
        if read.is_none() {
            let now = self.now;
            self.engine.handle_waiting_reader(|| now);
        }
        self.promises.read(read, &self.engine);
        self.check();
    }

    /// The handler has a turn, in which it reads at most so many, and at least one.
    pub(super) fn read_in_turn(&mut self, most: usize) {
        if !self.promises.has_reader() {
            return;
        }
        let mut in_hand = self.engine.read_all();
        for item in iter::from_fn(|| in_hand.pop()).take(most) {
            self.promises.read(Some(Some(item)), &self.engine);
        }
        if !in_hand.is_empty() {
            assert!(self.engine.read().is_none(), "nobody else comes before it");
            let now = self.now;
            assert!(!self.engine.handle_waiting_reader(|| now), "it is at work");
        }
        self.engine.unread(in_hand);
        self.check();
    }

    pub(super) fn write(&mut self, message: Message, policy: Option<SlowClient>) {
        let effective = policy.unwrap_or(self.limits.slow_client);
        let behind_bytes = self.engine.unsent_bytes;
        let expected = self.promises.write(&message, None, effective, behind_bytes);
        let now = self.now;
        let written = self.engine.write(message, policy, false, || now);
        self.compare(&expected, written, effective);
    }

    pub(super) fn write_latest(&mut self, message: Message, key: &ByteString) {
        let policy = self.limits.slow_client;
        let behind_bytes = self.engine.unsent_bytes;
        let expected = self
            .promises
            .write(&message, Some(key), policy, behind_bytes);
        let now = self.now;
        let written = self.engine.write_latest(message, key, || now);
        self.compare(&expected, written, policy);
    }

    pub(super) fn ping(&mut self, payload: Bytes) {
        let is_refused = self.engine.end.refuses_writes() || payload.len() > 125;
        let pinged = self.engine.ping(payload.clone());
        assert_eq!(pinged.is_err(), is_refused);
        if pinged.is_ok() {
            self.promises.push_control(Message::Ping(payload));
        }
        self.check();
    }

    pub(super) fn close(&mut self, frame: CloseFrame) {
        self.engine.close(frame, self.now);
        assert!(self.engine.is_closing());
        self.check();
    }

    pub(super) fn leave(&mut self) {
        let now = self.now;
        self.engine.leave(|| now);
        self.promises.left();
        self.check();
    }

    pub(super) fn end_handler(&mut self, frame: CloseFrame, failure: Option<Error>) {
        self.has_handler = false;
        self.promises.left();
        self.engine.handle_handler_end(frame, failure, self.now);
        self.check();
    }

    pub(super) fn close_as_server(&mut self, frame: CloseFrame) {
        self.engine.handle_server_close(frame, self.now);
        self.check();
    }

    pub(super) fn kill(&mut self) {
        self.engine.handle_kill();
        self.check();
    }

    /// The session's task is dropped, and everything with it.
    pub(super) fn abort(&mut self) {
        self.connection = None;
        self.has_handler = false;
        self.engine.handle_abort();
        self.finish();
    }

    pub(super) fn take_gap(&mut self) {
        let gap = self.engine.take_gap();
        self.promises.gap(gap);
    }

    pub(super) fn take_failures(&mut self) {
        drop(self.engine.take_failures());
        assert!(!self.engine.has_failures());
    }

    /// Sends what there is to send; `closes` says whether a transport that is asked to close does.
    pub(super) fn send(&mut self, output: Output, closes: bool) {
        if self.connection.is_some() {
            self.transmit(output);
        }
        if self.engine.stage() == Stage::Closing && closes {
            self.engine.handle_transport_closed();
        }
        if self.engine.stage() == Stage::Dropped {
            self.connection = None;
        }
        if self.connection.is_none() && self.has_handler {
            self.engine.start_handler_grace(self.now);
        }
        self.check();
    }

    /// What the loop does before it sleeps: it goes round until nothing is due.
    pub(super) fn fall_asleep(&mut self) {
        // What became due in a turn is seen to in the next one, at once.
        for _ in 0..2 {
            self.look_at_time();
            self.send(self.last_output(), false);
        }
        if self.connection.is_none() && self.has_handler && self.engine.is_grace_over() {
            self.has_handler = false;
        }
        if self.connection.is_none() && !self.has_handler {
            return self.finish();
        }
        self.promises
            .check_asleep(&self.engine, self.connection.is_some(), self.now);
        if self.connection.is_none() {
            assert!(self.engine.poll_timeout().is_some(), "a handler for ever");
        }
        self.engine.rest();
    }

    /// From here on the peer does nothing, and time passes from deadline to deadline.
    pub(super) fn wait_for_the_end(&mut self) {
        let begun = self.now;
        while !self.is_over() {
            let deadline = self
                .engine
                .poll_timeout()
                .expect("an end without a deadline");
            self.now = self.now.max(deadline);
            let longest = self.promises.longest_end() + self.limits.handler_grace;
            assert!(self.now <= begun + longest, "the end takes too long");
            self.fall_asleep();
        }
    }

    /// After the end, nothing changes it.
    pub(super) fn check_over(&mut self) {
        let outcome = self.promises.check_over(&mut self.engine);
        assert_eq!(self.outcome.as_ref(), Some(&outcome), "a second outcome");
    }

    /// A transport that was stuck still is.
    fn last_output(&self) -> Output {
        match &self.connection {
            Some(connection) if connection.is_stuck => Output::Stuck {
                messages: 0,
                bytes: 0,
            },
            _ => Output::Flushed,
        }
    }

    fn transmit(&mut self, output: Output) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        let (messages, bytes) = match output {
            Output::Flushed => (usize::MAX, usize::MAX),
            Output::Stuck { messages, bytes } => (messages, bytes),
            Output::Broken => return self.engine.handle_gone(),
        };
        connection.is_stuck = matches!(output, Output::Stuck { .. });
        let mut taken_bytes = 0;
        let mut in_hand = LazyDeque::new();
        for _ in 0..messages {
            if in_hand.is_empty() && messages == usize::MAX {
                self.engine.take_batch(&mut in_hand);
            }
            let next = in_hand.pop_front();
            let Some(outgoing) = next.or_else(|| self.engine.poll_transmit()) else {
                assert!(!self.engine.has_output());
                break;
            };
            let message = outgoing.message.message();
            let frame_bytes = server_frame_bytes(message.payload_bytes());
            taken_bytes += frame_bytes as u64;
            connection.unsent_bytes += frame_bytes;
            if let Message::Ping(payload) = message {
                connection.last_ping = payload.clone();
            }
            self.promises.transmitted(message, &self.engine);
        }
        connection.unsent_bytes = connection.unsent_bytes.saturating_sub(bytes);
        if connection.is_stuck && !self.engine.has_output() {
            // What waits may be below the transport.
            connection.unsent_bytes = connection.unsent_bytes.max(1);
        }
        self.engine
            .handle_flush(taken_bytes, connection.unsent_bytes, self.now);
        self.check();
    }

    fn compare(
        &mut self,
        expected: &Expected,
        written: crate::Result<Admission>,
        policy: SlowClient,
    ) {
        let code = written.as_ref().err().map(|error| error.code().to_owned());
        let found = match (written, &code) {
            (Ok(Admission::Done), _) => Expected::Done,
            (Ok(Admission::Wait(_)), _) => Expected::Wait,
            (Err(_), code) => {
                let code = code.as_deref().unwrap_or_default();
                assert!(matches!(expected, Expected::Refused(other) if *other == code));
                let ends = code == "WHARF_OUTBOUND_TOO_LARGE"
                    || (code == "WHARF_BACKPRESSURE" && policy == SlowClient::Close);
                assert!(!ends || self.engine.is_closing());
                return self.check();
            }
        };
        assert_eq!(&found, expected);
        self.check();
    }

    fn finish(&mut self) {
        if self.outcome.is_none() {
            self.outcome = Some(self.engine.outcome());
        }
        self.check();
        self.check_over();
    }

    fn check(&mut self) {
        self.promises.check(&self.engine);
    }
}
