//! From a round to what its client does, step by step, and to what has to come of it.
//!
//! The steps are arranged so that nothing that is compared depends on how packets and turns fall.
//! What would, is waited for:
//!
//! - An end of the connection in place of a close drops what the session still has to send. So
//!   everything has come back before it.
//! - A close or a violation ends the session behind what the handler answers in the same turn. So
//!   the answers of a handler that is late have come back before.
//! - How much a session has read when its handler ends by itself depends on what had arrived. So
//!   nothing follows before the server's close has come.
//! - What a peer has not read can be lost to a reset when it goes on sending: at once on a driver
//!   that does not own the connection, and on the others once nobody discards it any more, a second
//!   after the end. So much of it is waited for, or nothing is sent behind the end; little of it
//!   has reached the peer's system by then.
//! - What a full queue refuses depends on what is in it. So every message meets an empty one.
//!
//! What remains free is compared in strands of its own: see [`transcript`](super::transcript).

use bytes::Bytes;
use wharf_sdk::{CloseFrame, Message, SlowClient};

use super::{
    round::{Effect, Op, Pause, Round},
    script::{Actor, Reaction, Stop},
    transcript::{
        DATA, END, HANDLER, OBSERVERS, PINGS, PONGS, Transcript, describe, describe_payload,
    },
};

/// What certainly fits the peer's receive buffer.
const LITTLE_BYTES: usize = 16 * 1024;

/// What the client does, in order.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Sends a packet.
    Send(Bytes),
    /// Lets others have a turn.
    Turn,
    /// Lets a millisecond pass.
    Sleep,
    /// Reads until this much data and this many pongs have come, or the end.
    Await { data: usize, pongs: usize },
    /// Reads until a close frame has come, or the end.
    AwaitClose,
    /// Ends the outbound direction.
    HalfClose,
    /// Drops the connection.
    Vanish,
}

/// A round as it is played.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// What goes with the request.
    pub(super) early: Bytes,
    pub(super) steps: Vec<Step>,
    /// What has to come of it, but for the reasons.
    pub(super) expected: Transcript,
}

impl Plan {
    /// The plan for a driver that owns its connections, or does not; only the waits differ.
    pub(super) fn of(round: &Round, owns_connection: bool) -> Self {
        let mut planner = Planner {
            round,
            owns_connection,
            actor: Actor::new(&round.script),
            steps: Vec::new(),
            expected: Transcript::default(),
            phase: Phase::Open,
            is_answer_due: false,
            due_bytes: 0,
            counts: Counts::default(),
            outcome: None,
            failures: Vec::new(),
            came_close: None,
        };
        let beginning = planner.actor.begin();
        planner.take(beginning);
        for op in &round.ops {
            planner.plan(op);
        }
        planner.finish()
    }
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It goes on.
    Open,
    /// The server has closed and waits for its peer.
    Stopped,
    /// The peer closed, or did what must not be done: what it sends now, nobody looks at.
    Ended,
    /// The peer's direction has ended.
    Gone,
}

#[derive(Debug, Default)]
struct Counts {
    messages_in: usize,
    bytes_in: usize,
    messages_out: usize,
    bytes_out: usize,
    dropped: usize,
}

struct Outcome {
    code: u16,
    is_clean: bool,
    initiator: &'static str,
}

struct Planner<'a> {
    round: &'a Round,
    owns_connection: bool,
    actor: Actor,
    steps: Vec<Step>,
    expected: Transcript,
    phase: Phase,
    /// Something has to come back that was not waited for.
    is_answer_due: bool,
    due_bytes: usize,
    counts: Counts,
    outcome: Option<Outcome>,
    failures: Vec<String>,
    /// The close frame that the client gets.
    came_close: Option<String>,
}

impl Planner<'_> {
    fn plan(&mut self, op: &Op) {
        match (self.phase, &op.effect) {
            (Phase::Gone, _) => {}
            (Phase::Open, Effect::Wait) => self.wait(),
            (_, Effect::Wait) => {}
            (Phase::Ended, Effect::Vanish) => {
                // A reset could overtake what has to come back.
            }
            (Phase::Ended, Effect::HalfClose) => {
                self.steps.push(Step::HalfClose);
                self.phase = Phase::Gone;
            }
            (Phase::Ended, _) if self.due_bytes > LITTLE_BYTES => {}
            (Phase::Ended, _) => self.send(op),
            (Phase::Open | Phase::Stopped, Effect::Incomplete(controls)) => {
                // Nothing else can follow: it would be taken for the rest.
                self.send(op);
                self.take_controls(controls);
                self.vanish(Step::HalfClose);
            }
            (Phase::Open | Phase::Stopped, Effect::HalfClose) => self.vanish(Step::HalfClose),
            (Phase::Open | Phase::Stopped, Effect::Vanish) => self.vanish(Step::Vanish),
            (Phase::Open, Effect::Message(message, controls)) => {
                let meets_empty_queue = self.round.terms.excess().is_some();
                if meets_empty_queue {
                    self.wait();
                }
                self.send(op);
                self.take_controls(controls);
                self.count_in(message);
                self.expected.add(HANDLER, describe(message));
                let reaction = self.actor.react(message);
                self.take(reaction);
            }
            (Phase::Stopped, Effect::Message(message, _)) => {
                self.send(op);
                self.count_in(message);
            }
            (Phase::Open | Phase::Stopped, Effect::Control(message)) => {
                self.send(op);
                self.take_controls(std::slice::from_ref(message));
            }
            (Phase::Open, Effect::Close(frame)) => {
                self.wait_before_end(false);
                self.send(op);
                self.take_close(frame.as_ref());
            }
            (Phase::Stopped, Effect::Close(_)) => {
                self.send(op);
                self.phase = Phase::Ended;
                if let Some(outcome) = &mut self.outcome {
                    outcome.is_clean = true;
                }
            }
            (Phase::Open | Phase::Stopped, Effect::Violation(violation, controls)) => {
                if self.phase == Phase::Open {
                    self.wait_before_end(true);
                }
                self.send(op);
                self.take_controls(controls);
                self.fail(violation.error, "session");
                if self.phase == Phase::Open {
                    self.close_with(violation.code, "server");
                    self.end_handler(true);
                }
                self.phase = Phase::Ended;
            }
        }
    }

    /// The end of the plan: whatever is still open ends.
    fn finish(mut self) -> Plan {
        if matches!(self.phase, Phase::Open | Phase::Stopped) {
            self.vanish(Step::HalfClose);
        }
        let has_left = matches!(self.steps.last(), Some(Step::Vanish));
        self.expected
            .extend(END, self.came_close.into_iter().collect());
        if !has_left {
            self.expected.add(END, "the end");
        }
        self.expected
            .add(OBSERVERS, format!("upgraded at {}", self.round.terms.path));
        self.expected.extend(OBSERVERS, self.failures);
        if let Some(outcome) = self.outcome {
            let counts = self.counts;
            let line = format!(
                "closed {}, clean: {}, by the {}, in {}/{}, out {}/{}, dropped {}",
                outcome.code,
                outcome.is_clean,
                outcome.initiator,
                counts.messages_in,
                counts.bytes_in,
                counts.messages_out,
                counts.bytes_out,
                counts.dropped,
            );
            self.expected.add(OBSERVERS, line);
        }
        let mut steps = self.steps;
        let early = match steps.first_mut() {
            Some(Step::Send(bytes)) if self.round.is_early => std::mem::take(bytes),
            _ => Bytes::new(),
        };
        Plan {
            early,
            steps,
            expected: self.expected,
        }
    }

    fn send(&mut self, op: &Op) {
        let mut from = 0;
        for (at, pause) in &op.cuts {
            self.steps.push(Step::Send(op.bytes.slice(from..*at)));
            from = *at;
            match pause {
                Pause::None => {}
                Pause::Turn => self.steps.push(Step::Turn),
                Pause::Sleep => self.steps.push(Step::Sleep),
            }
        }
        self.steps.push(Step::Send(op.bytes.slice(from..)));
    }

    fn wait(&mut self) {
        if self.is_answer_due {
            self.steps.push(Step::Await {
                data: self.expected.len(DATA),
                pongs: self.expected.len(PONGS),
            });
            self.is_answer_due = false;
            self.due_bytes = 0;
        }
    }

    /// Waits for what the end could overtake.
    fn wait_before_end(&mut self, may_arrive_in_parts: bool) {
        let is_late = self.round.manner.is_late() || self.round.terms.waits();
        let is_much_due = may_arrive_in_parts && self.due_bytes > LITTLE_BYTES;
        if is_late || !self.owns_connection || is_much_due {
            self.wait();
        }
    }

    fn count_in(&mut self, message: &Message) {
        self.counts.messages_in += 1;
        self.counts.bytes_in += message.payload_bytes();
    }

    /// Valid control frames came.
    fn take_controls(&mut self, controls: &[Message]) {
        if self.phase != Phase::Open {
            return;
        }
        for control in controls {
            if let Message::Ping(payload) = control {
                self.expected.add(PONGS, describe_payload("pong", payload));
                self.is_answer_due = true;
            }
            if self.round.terms.control_frames {
                self.expected.add(HANDLER, describe(control));
            }
        }
    }

    /// The handler does something.
    fn take(&mut self, reaction: Reaction) {
        if let Some(payload) = reaction.ping {
            self.expected.add(PINGS, describe_payload("ping", &payload));
        }
        let refused = self.write(reaction.writes);
        if refused {
            self.end_handler(false);
            self.stop_waiting();
        } else if let Some(stop) = reaction.stop {
            self.stop(&stop);
        }
    }

    /// The handler writes; `true` if it is refused, which is its end.
    fn write(&mut self, mut writes: Vec<Message>) -> bool {
        let terms = &self.round.terms;
        let limit = terms.max_outbound_bytes;
        let over = |message: &Message| message.payload_bytes() > limit;
        if let Some(at) = writes.iter().position(over) {
            writes.truncate(at);
            self.say(writes);
            self.refuse("WHARF_OUTBOUND_TOO_LARGE");
            self.fail("WHARF_OUTBOUND_TOO_LARGE", "handler");
            self.fail("WHARF_OUTBOUND_TOO_LARGE", "handler");
            self.close_with(1009, "server");
            return true;
        }
        match terms.excess() {
            Some((room, slow)) if writes.len() > room => {
                let excess = writes.len() - room;
                if !terms.fails_when_full() {
                    self.counts.dropped += excess;
                    if slow == SlowClient::DropOldest {
                        writes.drain(..excess);
                    } else {
                        writes.truncate(room);
                    }
                    self.say(writes);
                    return false;
                }
                writes.truncate(room);
                self.say(writes);
                self.refuse("WHARF_BACKPRESSURE");
                if slow == SlowClient::Close {
                    self.fail("WHARF_BACKPRESSURE", "session");
                    self.fail("WHARF_BACKPRESSURE", "handler");
                    self.close_with(1013, "server");
                } else {
                    self.fail("WHARF_BACKPRESSURE", "handler");
                    self.close_with(1011, "handler");
                }
                true
            }
            _ => {
                self.say(writes);
                false
            }
        }
    }

    fn say(&mut self, writes: Vec<Message>) {
        for message in writes {
            self.counts.messages_out += 1;
            self.counts.bytes_out += message.payload_bytes();
            self.due_bytes += message.payload_bytes();
            self.expected.add(DATA, describe(&message));
            self.is_answer_due = true;
        }
    }

    fn refuse(&mut self, error: &str) {
        self.expected.add(HANDLER, format!("refused {error}"));
    }

    /// The handler ends by itself.
    fn stop(&mut self, stop: &Stop) {
        let code = match stop {
            Stop::Return => 1000,
            Stop::Refuse(code, _) => {
                self.fail("WHARF_HANDLER_CLOSE", "handler");
                *code
            }
            Stop::Fail => {
                self.fail("WHARF_HANDLER", "handler");
                1011
            }
            Stop::Panic => {
                self.fail("WHARF_PANIC", "handler");
                1011
            }
            Stop::Close(code, _) => {
                self.expected.add(HANDLER, "end");
                *code
            }
        };
        self.close_with(code, "handler");
        self.end_handler(false);
        self.stop_waiting();
    }

    fn stop_waiting(&mut self) {
        self.steps.push(Step::AwaitClose);
        self.is_answer_due = false;
        self.due_bytes = 0;
        self.phase = Phase::Stopped;
    }

    /// The peer closes.
    fn take_close(&mut self, frame: Option<&CloseFrame>) {
        if self.round.terms.control_frames {
            let close = Message::Close(frame.cloned());
            self.expected.add(HANDLER, describe(&close));
        }
        let code = frame.map_or(1005, |frame| frame.code().as_u16());
        self.close_with(code, "peer");
        if let Some(outcome) = &mut self.outcome {
            outcome.is_clean = true;
        }
        self.end_handler(true);
        self.phase = Phase::Ended;
    }

    /// The connection ends without a close.
    fn vanish(&mut self, step: Step) {
        self.wait();
        self.steps.push(step);
        if self.phase == Phase::Open {
            self.outcome = Some(Outcome {
                code: 1006,
                is_clean: false,
                initiator: "peer",
            });
            self.expected.add(HANDLER, "end");
            if self.actor.end().is_some() && !self.round.manner.is_late() {
                self.refuse("WHARF_CLOSED");
            }
            self.end_handler(false);
        }
        self.phase = Phase::Gone;
    }

    fn close_with(&mut self, code: u16, initiator: &'static str) {
        self.came_close = Some(format!("close {code}"));
        self.outcome = Some(Outcome {
            code,
            is_clean: false,
            initiator,
        });
    }

    /// The handler is over; after an end that it could still speak in, with its last words.
    fn end_handler(&mut self, may_speak: bool) {
        if may_speak {
            self.expected.add(HANDLER, "end");
            if let Some(words) = self.actor.end()
                && !self.round.manner.is_late()
            {
                self.say(vec![words]);
            }
        }
        self.expected.add(HANDLER, "over");
    }

    fn fail(&mut self, error: &str, phase: &str) {
        self.failures
            .push(format!("failed {error} in {phase} phase"));
    }
}
