//! The engine without a socket, a task or a sleep: events in, actions out, time as a parameter.

use bytes::Bytes;
use bytestring::ByteString;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{end::*, inbound::Arrived, state::*, *};
use crate::{
    message::{CloseCode, CloseFrame, Error, ErrorKind, Initiator, Message, Result, SharedMessage},
    policy::{Configure, Policy, RateLimit, RatePolicy, SlowClient},
    wire::{Unfinished, server_frame_bytes},
};

const SECOND: Duration = Duration::from_secs(1);

struct Rig {
    engine: Engine,
    /// What has arrived of a message under way.
    unfinished: Unfinished,
    /// What was taken since the last flush takes on the wire.
    taken_bytes: u64,
    now: Instant,
}

impl Rig {
    #[allow(
        clippy::needless_pass_by_value,
        reason = "policies are written in place"
    )]
    fn new(policy: Policy) -> Self {
        let now = Instant::now();
        let limits = policy.resolve("/test").expect("valid");
        Self {
            engine: Engine::new(Arc::new(limits), None, now),
            unfinished: Unfinished::default(),
            taken_bytes: 0,
            now,
        }
    }

    fn receive(&mut self, message: impl Into<Message>) {
        let mut arrived = Arrived::default();
        arrived.push(message.into());
        self.engine.handle_messages(&mut arrived, self.now);
    }

    fn write(&mut self, text: &str) -> Result<Admission> {
        let now = self.now;
        self.engine.write(Message::text(text), None, false, || now)
    }

    fn transmit(&mut self) -> Option<Message> {
        let sent = self.engine.poll_transmit()?.message;
        self.taken_bytes += server_frame_bytes(sent.payload_bytes()) as u64;
        Some(sent.message().clone())
    }

    /// The transport says how much is stuck in it.
    fn flush_but(&mut self, unsent_bytes: usize) {
        let taken_bytes = std::mem::take(&mut self.taken_bytes);
        self.engine
            .handle_flush(taken_bytes, unsent_bytes, self.now);
    }

    /// Sends everything, and says that it reached the peer.
    fn flush(&mut self) -> Vec<Message> {
        let sent: Vec<_> = std::iter::from_fn(|| self.transmit()).collect();
        self.flush_but(0);
        sent
    }

    /// Lets time pass up to each deadline in turn.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(deadline) = self.engine.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(deadline);
            self.engine.handle_time(self.unfinished, self.now);
            if self.engine.poll_timeout() == Some(deadline) {
                panic!("a timer was not stopped when it fired");
            }
        }
        self.now = end;
    }

    fn failure_codes(&mut self) -> Vec<String> {
        let failures = self.engine.take_failures();
        failures
            .iter()
            .map(|error| error.code().to_owned())
            .collect()
    }

    fn outcome(&self) -> (u16, bool, Initiator) {
        let outcome = self.engine.outcome();
        (outcome.code.as_u16(), outcome.clean, outcome.initiator)
    }
}

fn quiet() -> Policy {
    Policy::new().no_heartbeat()
}

fn frame(code: u16) -> CloseFrame {
    CloseFrame::new(code, "").expect("sendable")
}

fn ping_payload(sent: &[Message]) -> bytes::Bytes {
    match sent {
        [Message::Ping(payload)] => payload.clone(),
        other => panic!("expected a ping alone, but got {other:?}"),
    }
}

#[test]
fn a_ping_is_answered_ahead_of_data_and_hidden() {
    let mut rig = Rig::new(quiet());
    rig.write("data").expect("room");
    rig.receive(Message::Ping("p".into()));
    assert!(rig.engine.read().is_none());
    assert_eq!(
        rig.flush(),
        [Message::Pong("p".into()), Message::text("data")]
    );
}

#[test]
fn control_frames_are_shown_where_asked_for() {
    let mut rig = Rig::new(quiet().control_frames(true));
    rig.receive(Message::Ping("p".into()));
    rig.receive(Message::Close(Some(frame(1000))));
    let mut read = || {
        rig.engine
            .read()
            .expect("ready")
            .transpose()
            .expect("no error")
    };
    assert_eq!(read(), Some(Message::Ping("p".into())));
    assert_eq!(read(), Some(Message::Close(Some(frame(1000)))));
    assert_eq!(read(), None);
}

#[test]
fn the_peers_close_is_answered_behind_queued_data() {
    let mut rig = Rig::new(quiet());
    rig.write("last words").expect("room");
    rig.receive(Message::Close(Some(frame(4001))));
    assert!(rig.engine.read().expect("ended").is_none());
    assert_eq!(
        rig.flush(),
        [
            Message::text("last words"),
            Message::Close(Some(frame(4001)))
        ]
    );
    assert_eq!(rig.engine.stage(), Stage::Closing);
    rig.engine.handle_transport_closed();
    assert_eq!(rig.outcome(), (4001, true, Initiator::Peer));
}

#[test]
fn an_empty_close_is_answered_empty_and_reported_as_1005() {
    let mut rig = Rig::new(quiet());
    rig.receive(Message::Close(None));
    assert_eq!(rig.flush(), [Message::Close(None)]);
    assert_eq!(rig.outcome(), (1005, true, Initiator::Peer));
}

#[test]
fn what_the_handler_answers_to_messages_before_a_violation_still_leaves() {
    let mut rig = Rig::new(quiet());
    rig.receive("valid");
    let violation = Error::new(ErrorKind::Protocol, "WHARF_TEST", "broken");
    rig.engine.handle_violation(violation, rig.now);
    assert!(matches!(rig.engine.read(), Some(Some(Ok(_)))));
    assert!(rig.engine.read().expect("ended").is_none());
    rig.write("echo").expect("the close has not left yet");
    let sent = rig.flush();
    assert_eq!(sent.first(), Some(&Message::text("echo")));
    assert!(matches!(&sent[1], Message::Close(Some(frame)) if frame.code() == CloseCode::PROTOCOL));
    assert_eq!(
        rig.write("late").expect_err("closed").code(),
        "WHARF_CLOSED"
    );
    assert_eq!(rig.failure_codes(), ["WHARF_TEST"]);
    assert_eq!(rig.outcome(), (1002, false, Initiator::Server));
}

#[test]
fn a_close_without_an_answer_is_aborted_at_its_deadline() {
    let mut rig = Rig::new(quiet());
    rig.engine.close(frame(4000), rig.now);
    rig.flush();
    rig.pass(4 * SECOND);
    assert_eq!(rig.engine.stage(), Stage::Running);
    rig.pass(SECOND);
    assert_eq!(rig.engine.stage(), Stage::Dropped);
    assert_eq!(rig.outcome(), (4000, false, Initiator::Handler));
}

#[test]
fn a_peer_that_keeps_its_end_open_after_the_handshake_is_not_waited_for_long() {
    let mut rig = Rig::new(quiet());
    rig.receive(Message::Close(Some(frame(1000))));
    rig.flush();
    rig.pass(SECOND);
    assert_eq!(rig.engine.stage(), Stage::Dropped);
    assert_eq!(rig.outcome(), (1000, true, Initiator::Peer));
}

#[test]
fn writers_cannot_delay_the_close_forever() {
    let mut rig = Rig::new(quiet());
    rig.engine.handle_server_close(frame(1001), rig.now);
    rig.write("answer").expect("the handler's turn");
    assert_eq!(rig.transmit(), Some(Message::text("answer")));
    assert_eq!(
        rig.write("more").expect_err("closing").code(),
        "WHARF_CLOSED"
    );
    assert_eq!(rig.transmit(), Some(Message::Close(Some(frame(1001)))));
}

#[test]
fn the_heartbeat_pings_after_silence_and_drops_without_a_pong() {
    let mut rig = Rig::new(Policy::new());
    rig.pass(24 * SECOND);
    assert!(rig.flush().is_empty());
    rig.pass(SECOND);
    ping_payload(&rig.flush());
    rig.pass(19 * SECOND);
    assert_eq!(rig.engine.stage(), Stage::Running);
    rig.pass(SECOND);
    assert_eq!(rig.engine.stage(), Stage::Dropped);
    assert_eq!(rig.failure_codes(), ["WHARF_HEARTBEAT_TIMEOUT"]);
    assert_eq!(rig.outcome(), (1006, false, Initiator::Server));
}

#[test]
fn only_the_pong_of_this_ping_counts() {
    let mut rig = Rig::new(Policy::new());
    rig.pass(25 * SECOND);
    let payload = ping_payload(&rig.flush());
    rig.receive(Message::Pong("wrong".into()));
    assert_eq!(rig.engine.round_trip(), None);
    rig.pass(SECOND);
    rig.receive(Message::Pong(payload));
    assert_eq!(rig.engine.round_trip(), Some(SECOND));
    rig.pass(24 * SECOND);
    assert_eq!(
        rig.engine.stage(),
        Stage::Running,
        "the silence started over"
    );
}

#[test]
fn the_pong_clock_starts_when_the_ping_is_flushed() {
    let mut rig = Rig::new(Policy::new().write_deadline(100 * SECOND));
    rig.pass(25 * SECOND);
    assert!(rig.transmit().is_some());
    rig.flush_but(8);
    rig.pass(30 * SECOND);
    assert_eq!(
        rig.engine.stage(),
        Stage::Running,
        "the ping is still in our buffer"
    );
    rig.flush_but(0);
    rig.pass(20 * SECOND);
    assert_eq!(rig.engine.stage(), Stage::Dropped);
}

#[test]
fn pings_of_the_handlers_never_push_the_heartbeats_out() {
    let mut rig = Rig::new(Policy::new());
    let now = rig.now;
    let ping = |rig: &mut Rig| {
        for n in 0..100u8 {
            rig.engine.ping(Bytes::from(vec![n])).expect("room");
        }
    };
    ping(&mut rig);
    rig.now = now;
    // Nothing is sent in between: the turn that finds the silence has pings of the handler's.
    rig.engine.handle_time(rig.unfinished, now + 25 * SECOND);
    rig.now = now + 25 * SECOND;
    ping(&mut rig);
    let sent = rig.flush();
    let own = ping_payload(&sent[..1]);
    assert_eq!(own.len(), 8, "our ping is ahead of the handler's");
    rig.receive(Message::Pong(own));
    rig.pass(24 * SECOND);
    assert_eq!(rig.engine.stage(), Stage::Running);
}

#[test]
fn the_pong_clock_starts_with_the_ping_and_not_with_what_is_behind_it() {
    let mut rig = Rig::new(Policy::new().write_deadline(100 * SECOND));
    rig.pass(25 * SECOND);
    rig.write("behind the ping").expect("room");
    while rig.transmit().is_some() {}
    rig.flush_but(10);
    // The ping has left; 10 bytes of the text have not.
    rig.pass(20 * SECOND);
    assert_eq!(rig.failure_codes(), ["WHARF_HEARTBEAT_TIMEOUT"]);
}

#[test]
fn what_is_dropped_waits_until_the_lock_is_released() {
    let mut rig = Rig::new(
        quiet()
            .queue_messages(1)
            .slow_client(SlowClient::DropOldest),
    );
    rig.write("old").expect("room");
    rig.write("new").expect("in its place");
    rig.engine
        .ping(Bytes::from(vec![0; 126]))
        .expect_err("too large");
    rig.engine.handle_gone();
    rig.write("late").expect_err("closed");
    let discarded = rig.engine.take_discarded();
    let discarded: Vec<_> = discarded.iter().map(Outgoing::payload_bytes).collect();
    assert_eq!(discarded, [3, 126, 3, 4]);
}

#[test]
fn what_many_sessions_send_never_waits_and_keeps_its_place() {
    let mut rig = Rig::new(quiet().queue_messages(2));
    let news = SharedMessage::new("news");
    let now = rig.now;
    rig.write("before").expect("room");
    let mut send = |is_behind| rig.engine.write_shared(&news, is_behind, || now);
    assert_eq!(send(true).expect("open"), Delivery::Dropped, "others wait");
    assert_eq!(send(false).expect("open"), Delivery::Queued);
    assert_eq!(send(false).expect("open"), Delivery::Dropped, "it is full");
    assert_eq!(rig.engine.take_gap().bytes, 8);
    assert_eq!(
        rig.flush(),
        [Message::text("before"), Message::text("news")]
    );
}

#[test]
fn what_many_sessions_send_says_what_it_pushed_out() {
    let mut rig = Rig::new(
        quiet()
            .queue_messages(2)
            .slow_client(SlowClient::DropOldest),
    );
    let now = rig.now;
    for (news, delivery) in [
        ("a", Delivery::Queued),
        ("b", Delivery::Queued),
        ("c", Delivery::MadeRoom(1)),
    ] {
        let news = SharedMessage::new(news);
        let sent = rig.engine.write_shared(&news, false, || now);
        assert_eq!(sent.expect("open"), delivery);
    }
    assert_eq!(rig.engine.take_gap().messages, 1);
    assert_eq!(rig.flush(), [Message::text("b"), Message::text("c")]);
}

#[test]
fn a_drain_waits_for_the_message_that_the_handler_is_at() {
    let mut rig = Rig::new(quiet().idle_timeout(SECOND));
    rig.receive("work");
    rig.receive("more work");
    assert!(rig.engine.read().is_some());
    rig.engine.handle_drain(frame(1001), rig.now);
    assert!(rig.engine.is_closing(), "who asks is told at once");
    rig.receive("too late");
    rig.receive(Message::Ping("still here".into()));
    assert_eq!(rig.flush(), [Message::Pong("still here".into())]);
    rig.pass(10 * SECOND);
    rig.write("done").expect("a drain lets the handler write");
    assert!(rig.engine.read().is_some(), "it came before the drain");
    assert!(rig.engine.read().is_none());
    let now = rig.now;
    assert!(rig.engine.handle_waiting_reader(|| now));
    assert_eq!(
        rig.flush(),
        [Message::text("done"), Message::Close(Some(frame(1001)))]
    );
    assert_eq!(rig.outcome(), (1001, false, Initiator::Server));
}

#[test]
fn a_drain_waits_for_what_the_handler_has_in_hand() {
    let mut rig = Rig::new(quiet());
    rig.receive("work");
    rig.receive("more work");
    let mut in_hand = rig.engine.read_all();
    assert!(in_hand.pop().is_some());
    rig.engine.handle_drain(frame(1001), rig.now);
    let now = rig.now;
    assert!(rig.engine.read().is_none());
    let is_end = rig.engine.handle_waiting_reader(|| now);
    assert!(!is_end, "another task waits, and not the handler");
    rig.engine.unread(in_hand);
    assert!(rig.engine.read().is_some());
    assert!(rig.engine.handle_waiting_reader(|| now));
}

#[test]
fn a_drain_waits_for_a_handler_that_hears_it() {
    let mut rig = Rig::new(quiet());
    rig.engine.hear_drains();
    assert!(rig.engine.read().is_none());
    rig.engine.handle_waiting_reader(Instant::now);
    rig.engine.handle_drain(frame(1001), rig.now);
    assert!(rig.engine.is_readable(), "whoever reads is told");
    assert!(matches!(rig.engine.read(), Some(None)));
    rig.pass(10 * SECOND);
    rig.write("so long")
        .expect("a drain lets the handler write");
    assert_eq!(rig.flush(), [Message::text("so long")]);
    let now = rig.now;
    assert!(rig.engine.handle_waiting_reader(|| now), "it is through");
    assert_eq!(rig.flush(), [Message::Close(Some(frame(1001)))]);

    let mut rig = Rig::new(quiet());
    rig.engine.hear_drains();
    rig.engine.leave(Instant::now);
    rig.engine.handle_drain(frame(1001), rig.now);
    assert_eq!(rig.flush(), [Message::Close(Some(frame(1001)))]);
}

#[test]
fn a_drain_closes_at_once_where_the_handler_waits() {
    let mut rig = Rig::new(quiet());
    rig.receive("work");
    assert!(rig.engine.read().is_some());
    assert!(rig.engine.read().is_none());
    rig.engine.handle_waiting_reader(Instant::now);
    rig.engine.handle_drain(frame(1001), rig.now);
    assert_eq!(rig.flush(), [Message::Close(Some(frame(1001)))]);

    let mut rig = Rig::new(quiet());
    rig.receive("work");
    assert!(rig.engine.read().is_some());
    rig.engine.handle_drain(frame(1001), rig.now);
    rig.engine.handle_handler_end(frame(1000), None, rig.now);
    assert_eq!(rig.flush(), [Message::Close(Some(frame(1001)))]);
}

#[test]
fn a_handler_that_does_not_read_is_not_the_peers_silence() {
    let mut rig = Rig::new(Policy::new());
    while rig.engine.wants_input() {
        rig.receive("flood");
    }
    for _ in 0..4 {
        rig.pass(25 * SECOND);
        // The ping finds out whether there is a peer; its pong cannot be read and is not missed.
        ping_payload(&rig.flush());
    }
    assert_eq!(rig.engine.stage(), Stage::Running);
}

#[test]
fn a_pong_that_overtakes_our_buffer_counts() {
    let mut rig = Rig::new(Policy::new().write_deadline(100 * SECOND));
    rig.pass(25 * SECOND);
    let ping = rig.transmit().expect("a ping");
    rig.flush_but(1000);
    rig.receive(Message::Pong(ping_payload(&[ping])));
    rig.flush_but(0);
    rig.pass(24 * SECOND);
    assert_eq!(rig.engine.stage(), Stage::Running);
}

#[test]
fn a_close_that_never_left_is_not_clean() {
    let mut rig = Rig::new(quiet());
    rig.write("stuck").expect("room");
    assert!(rig.transmit().is_some());
    rig.receive(Message::Close(Some(frame(1000))));
    assert!(rig.transmit().is_some());
    rig.flush_but(7);
    rig.pass(5 * SECOND);
    assert_eq!(rig.outcome(), (1000, false, Initiator::Peer));
}

#[test]
fn read_ahead_is_bounded_in_messages_and_bytes() {
    let mut rig = Rig::new(quiet());
    let mut messages = 0;
    while rig.engine.wants_input() {
        rig.receive("");
        messages += 1;
    }
    assert_eq!(messages, READ_AHEAD_MESSAGES);

    let mut rig = Rig::new(quiet());
    rig.receive(vec![0; READ_AHEAD_BYTES]);
    assert!(!rig.engine.wants_input());
    assert!(rig.engine.read().is_some());
    assert!(rig.engine.wants_input());
}

#[test]
fn a_stuck_write_ends_at_its_deadline_and_progress_extends_it() {
    let mut rig = Rig::new(quiet());
    rig.engine
        .write(Message::binary(vec![0; 100_000]), None, false, Instant::now)
        .expect("room");
    assert!(rig.transmit().is_some());
    rig.flush_but(90_000);
    rig.pass(9 * SECOND);
    rig.flush_but(50_000);
    rig.pass(9 * SECOND);
    assert_eq!(rig.engine.stage(), Stage::Running, "40,000 bytes moved");
    rig.flush_but(49_000);
    rig.pass(SECOND);
    assert_eq!(
        rig.engine.stage(),
        Stage::Dropped,
        "1,000 bytes are no progress"
    );
    assert_eq!(rig.failure_codes(), ["WHARF_WRITE_DEADLINE"]);
}

#[test]
fn idle_first_message_age_and_credential_close_with_their_codes() {
    let cases = [
        (quiet().idle_timeout(SECOND), 1001, "WHARF_IDLE_TIMEOUT"),
        (
            quiet().first_message_timeout(SECOND),
            1008,
            "WHARF_FIRST_MESSAGE_TIMEOUT",
        ),
        (quiet().max_age(SECOND), 1001, "WHARF_MAX_AGE"),
    ];
    for (policy, code, failure) in cases {
        let mut rig = Rig::new(policy);
        rig.pass(SECOND);
        assert_eq!(rig.flush(), [Message::Close(Some(sent(&rig, code)))]);
        assert_eq!(rig.failure_codes(), [failure]);
    }
    let now = Instant::now();
    let limits = Arc::new(quiet().resolve("/").expect("valid"));
    let mut rig = Rig {
        unfinished: Unfinished::default(),
        taken_bytes: 0,
        engine: Engine::new(limits, Some(now + SECOND), now),
        now,
    };
    rig.pass(SECOND);
    assert_eq!(rig.outcome(), (1008, false, Initiator::Server));
}

fn sent(rig: &Rig, code: u16) -> CloseFrame {
    let outcome = rig.engine.outcome();
    assert_eq!(outcome.code.as_u16(), code);
    CloseFrame::new(outcome.code, outcome.reason).expect("sendable")
}

#[test]
fn data_keeps_a_session_from_idling_but_pings_do_not() {
    let mut rig = Rig::new(quiet().idle_timeout(2 * SECOND));
    rig.pass(SECOND);
    rig.receive("data");
    rig.pass(SECOND);
    rig.receive(Message::Ping("".into()));
    assert!(!rig.engine.is_closing());
    rig.pass(SECOND);
    assert!(rig.engine.is_closing());
}

#[test]
fn slow_client_policies() {
    let policy = |slow| quiet().queue_bytes(4).slow_client(slow);
    let mut rig = Rig::new(policy(SlowClient::Wait));
    rig.write("1234").expect("room");
    assert!(matches!(rig.write("5"), Ok(Admission::Wait(_))));

    let mut rig = Rig::new(policy(SlowClient::Error));
    rig.write("1234").expect("room");
    assert_eq!(
        rig.write("5").expect_err("full").code(),
        "WHARF_BACKPRESSURE"
    );

    let mut rig = Rig::new(policy(SlowClient::DropNewest));
    rig.write("1234").expect("room");
    rig.write("5").expect("dropped");
    assert_eq!(rig.engine.take_gap().messages, 1);
    assert_eq!(rig.flush(), [Message::text("1234")]);

    let mut rig = Rig::new(policy(SlowClient::DropOldest));
    rig.write("12").expect("room");
    rig.write("34").expect("room");
    rig.write("5").expect("the oldest makes room");
    assert_eq!(rig.engine.counts().messages_dropped, 1);
    assert_eq!(rig.flush(), [Message::text("34"), Message::text("5")]);

    let mut rig = Rig::new(policy(SlowClient::Close));
    rig.write("1234").expect("room");
    assert_eq!(
        rig.write("5").expect_err("full").code(),
        "WHARF_BACKPRESSURE"
    );
    assert_eq!(rig.outcome().0, 1013);
    assert_eq!(rig.write("6").expect_err("over").code(), "WHARF_CLOSED");
    assert_eq!(rig.failure_codes(), ["WHARF_BACKPRESSURE"], "told once");
}

#[test]
fn only_who_cannot_wait_needs_the_room_that_large_messages_make() {
    const MIB: usize = 1024 * 1024;
    let large = || "x".repeat(MIB * 3 / 4);
    let policy = |slow| {
        quiet()
            .max_outbound_message_bytes(8 * MIB)
            .slow_client(slow)
    };
    let mut rig = Rig::new(policy(SlowClient::Error));
    for _ in 0..10 {
        rig.write(&large()).expect("room for 8 MiB");
    }
    rig.write(&large()).expect_err("full");

    let mut rig = Rig::new(policy(SlowClient::Wait));
    rig.write(&large()).expect("room");
    assert!(matches!(rig.write(&large()), Ok(Admission::Wait(_))));
    assert!(!rig.engine.has_room(large().len()) && rig.engine.has_room(MIB / 4));
    rig.flush();
    assert!(rig.engine.has_room(8 * MIB), "alone it may be any size");

    let mut rig = Rig::new(policy(SlowClient::Wait).queue_bytes(8 * MIB));
    for _ in 0..10 {
        rig.write(&large()).expect("the queue that was asked for");
    }
    assert!(matches!(rig.write(&large()), Ok(Admission::Wait(_))));
}

#[test]
fn bytes_behind_the_queue_count() {
    let mut rig = Rig::new(quiet().queue_bytes(10).slow_client(SlowClient::Error));
    rig.write("12345678").expect("room");
    assert!(rig.transmit().is_some());
    rig.flush_but(8);
    assert_eq!(rig.engine.queued_bytes(), 8);
    rig.write("123").expect_err("8 + 3 is over 10");
    rig.flush_but(0);
    rig.write("123").expect("room");
}

#[test]
fn control_messages_cannot_be_written_and_cost_nothing() {
    let mut rig = Rig::new(quiet());
    for message in [Message::Ping("".into()), Message::Close(None)] {
        let error = rig
            .engine
            .write(message, None, false, Instant::now)
            .expect_err("control");
        assert_eq!(error.code(), "WHARF_CONTROL_WRITE");
    }
    rig.write("still usable").expect("room");
}

#[test]
fn an_oversized_outbound_message_closes_with_1009() {
    let mut rig = Rig::new(quiet().max_outbound_message_bytes(3));
    assert_eq!(
        rig.write("1234").expect_err("too large").code(),
        "WHARF_OUTBOUND_TOO_LARGE"
    );
    assert_eq!(rig.outcome(), (1009, false, Initiator::Server));
}

#[test]
fn rate_policies() {
    let policy = |rate| quiet().rate_limit(RateLimit::per_second(1).on_excess(rate));
    let mut rig = Rig::new(policy(RatePolicy::Wait));
    rig.receive("1");
    rig.receive("2");
    assert!(!rig.engine.wants_input());
    assert!(rig.engine.read().is_some());
    assert!(rig.engine.read().is_none());
    rig.pass(SECOND);
    assert!(matches!(rig.engine.read(), Some(Some(Ok(_)))));

    let mut rig = Rig::new(policy(RatePolicy::Error));
    rig.receive("1");
    rig.receive("2");
    rig.engine.read();
    let error = rig
        .engine
        .read()
        .flatten()
        .expect("an item")
        .expect_err("limited");
    assert_eq!(error.code(), "WHARF_RATE_LIMITED");

    let mut rig = Rig::new(policy(RatePolicy::Close));
    rig.receive("1");
    rig.receive("2");
    assert_eq!(rig.outcome().0, 1008);
}

#[test]
fn a_transport_that_takes_nothing_has_a_deadline_even_for_a_pong() {
    let mut rig = Rig::new(quiet().write_deadline(SECOND));
    rig.receive(Message::Ping("p".into()));
    rig.flush_but(0);
    rig.pass(SECOND);
    assert_eq!(rig.failure_codes(), ["WHARF_WRITE_DEADLINE"]);
}

#[test]
fn the_latest_of_a_key_keeps_to_the_queues_bytes() {
    let key = |name: &str| ByteString::from(name);
    let full = |policy| {
        let limits = quiet().queue_bytes(10).max_outbound_message_bytes(10);
        let mut rig = Rig::new(limits.slow_client(policy));
        for text in ["1", "2"] {
            let now = rig.now;
            rig.engine
                .write_latest(Message::text(text), &key(text), || now)
                .expect("room");
        }
        rig
    };
    let replace = |rig: &mut Rig, text: &str| {
        let now = rig.now;
        rig.engine
            .write_latest(Message::text(text), &key("1"), || now)
    };

    let mut refusing = full(SlowClient::Error);
    replace(&mut refusing, "111111111").expect("one byte and nine fit");
    let error = replace(&mut refusing, "1111111111").expect_err("they are too many");
    assert_eq!(error.code(), "WHARF_BACKPRESSURE");
    assert_eq!(
        refusing.flush(),
        [Message::text("111111111"), Message::text("2")],
        "what is refused replaces nothing"
    );

    let mut dropping = full(SlowClient::DropOldest);
    replace(&mut dropping, "1111111111").expect("is dropped");
    replace(&mut dropping, "11111").expect("it still has its place");
    assert_eq!(
        dropping.flush(),
        [Message::text("11111"), Message::text("2")]
    );
    let gap = dropping.engine.take_gap();
    assert_eq!((gap.messages, gap.bytes), (2, 11));
}

#[test]
fn what_comes_behind_our_close_waits_for_no_tokens() {
    let mut rig = Rig::new(quiet().rate_limit(RateLimit::per_second(1)));
    rig.engine.close(frame(1000), rig.now);
    rig.flush();
    let deadline = rig.engine.poll_timeout();
    rig.receive("1");
    rig.receive("2");
    assert_eq!(rig.engine.poll_timeout(), deadline);
    assert_eq!(rig.engine.counts().messages_in, 2, "both came");
    assert!(rig.engine.inbound.is_empty(), "neither is kept");
}

#[test]
fn a_ping_that_leaves_with_the_end_is_not_waited_for() {
    let with_a_ping_unsent = || {
        let mut rig = Rig::new(Policy::new().heartbeat(SECOND, SECOND));
        rig.pass(SECOND);
        rig
    };
    let mut gone = with_a_ping_unsent();
    gone.engine.handle_gone();
    gone.flush();
    assert_eq!(gone.engine.poll_timeout(), None);

    let mut closing = with_a_ping_unsent();
    closing.engine.close(frame(1000), closing.now);
    closing.flush();
    closing.pass(2 * SECOND);
    assert!(closing.failure_codes().is_empty());
    assert_eq!(closing.engine.stage(), Stage::Running, "its peer has 5 s");
}

#[test]
fn a_message_that_comes_before_our_close_leaves_is_delivered_without_tokens() {
    let mut rig = Rig::new(quiet().rate_limit(RateLimit::per_second(1)));
    rig.engine.close(frame(1000), rig.now);
    rig.receive("1");
    rig.receive("2");
    rig.flush();
    rig.receive(Message::Close(None));
    let mut read = || rig.engine.read().expect("ready").transpose();
    assert_eq!(read().expect("no error"), Some(Message::text("1")));
    assert_eq!(read().expect("no error"), Some(Message::text("2")));
    assert_eq!(read().expect("no error"), None);
}

#[test]
fn the_first_end_names_the_outcome() {
    let mut rig = Rig::new(quiet());
    rig.engine.close(frame(4000), rig.now);
    rig.engine.handle_server_close(frame(1001), rig.now);
    rig.receive(Message::Close(Some(frame(4999))));
    rig.flush();
    assert_eq!(rig.outcome(), (4000, true, Initiator::Handler));
    rig.engine.handle_gone();
    assert_eq!(rig.outcome().0, 4000);
}

#[test]
fn a_kill_behind_a_complete_handshake_leaves_it_clean() {
    let complete = || {
        let mut rig = Rig::new(quiet());
        rig.receive(Message::Close(Some(frame(1000))));
        rig.flush();
        rig
    };
    let mut lingering = complete();
    lingering.engine.handle_kill();
    assert_eq!(lingering.engine.stage(), Stage::Dropped);
    assert_eq!(lingering.outcome(), (1000, true, Initiator::Peer));

    let mut handler_is_left = complete();
    handler_is_left.engine.handle_transport_closed();
    let now = handler_is_left.now;
    handler_is_left.engine.start_handler_grace(now);
    handler_is_left.engine.handle_kill();
    assert!(handler_is_left.engine.is_grace_over());
    assert_eq!(handler_is_left.outcome(), (1000, true, Initiator::Peer));
}

#[test]
fn a_peer_that_vanishes_is_1006() {
    let mut rig = Rig::new(quiet());
    rig.receive("unread");
    rig.engine.handle_gone();
    assert!(
        matches!(rig.engine.read(), Some(Some(Ok(_)))),
        "what came before is not lost"
    );
    assert!(rig.engine.read().expect("ended").is_none());
    assert_eq!(rig.outcome(), (1006, false, Initiator::Peer));
    assert_eq!(
        rig.engine.poll_timeout(),
        None,
        "nothing is left to wait for"
    );
}

#[test]
fn a_handler_that_ends_closes_and_outlives_no_grace() {
    let mut rig = Rig::new(quiet());
    rig.engine.handle_handler_end(frame(1000), None, rig.now);
    assert_eq!(rig.flush(), [Message::Close(Some(frame(1000)))]);

    let mut rig = Rig::new(quiet());
    rig.engine.handle_gone();
    rig.engine.start_handler_grace(rig.now);
    rig.pass(30 * SECOND);
    assert!(rig.engine.is_grace_over());
}

#[test]
fn what_came_before_the_silence_does_not_shorten_it() {
    let mut rig = Rig::new(
        Policy::new()
            .heartbeat(SECOND, SECOND)
            .idle_timeout(3 * SECOND),
    );
    rig.receive("x".repeat(100_000));
    let silent_since = rig.now;
    assert_eq!(rig.engine.poll_timeout(), Some(silent_since + SECOND));
    rig.pass(SECOND);
    assert!(
        matches!(rig.flush()[..], [Message::Ping(_)]),
        "pinged after one interval"
    );
}

#[test]
fn a_message_under_way_is_neither_silent_nor_idle() {
    let mut rig = Rig::new(
        Policy::new()
            .heartbeat(SECOND, SECOND)
            .idle_timeout(2 * SECOND),
    );
    for _ in 0..20 {
        rig.unfinished.bytes += 600;
        rig.pass(SECOND);
    }
    assert_eq!(rig.flush(), []);
    assert_eq!(rig.engine.stage(), Stage::Running);
    // It comes to a halt.
    rig.pass(SECOND);
    assert!(matches!(rig.flush()[..], [Message::Ping(_)]));
    rig.pass(SECOND);
    assert_eq!(rig.failure_codes(), ["WHARF_HEARTBEAT_TIMEOUT"]);
}

#[test]
fn complete_fragments_are_data_and_a_trickle_is_not() {
    let mut rig = Rig::new(quiet().idle_timeout(SECOND));
    for _ in 0..5 {
        rig.unfinished.fragments += 1;
        rig.pass(SECOND);
    }
    assert_eq!(rig.engine.stage(), Stage::Running);
    rig.unfinished.bytes += 100;
    rig.pass(SECOND);
    assert_eq!(rig.failure_codes(), ["WHARF_IDLE_TIMEOUT"]);
}

#[test]
fn whole_messages_do_not_stand_in_for_a_pong() {
    let mut rig = Rig::new(Policy::new().heartbeat(SECOND, 2 * SECOND));
    rig.pass(SECOND);
    rig.flush();
    for _ in 0..20 {
        rig.pass(SECOND / 10);
        rig.unfinished = Unfinished::default();
        rig.receive("x".repeat(500));
        rig.unfinished.bytes = 5000;
    }
    assert_eq!(rig.failure_codes(), ["WHARF_HEARTBEAT_TIMEOUT"]);
}

#[test]
fn what_waits_holds_nothing_but_itself() {
    let buffer = Bytes::from(vec![7; 32 * 1024]);
    let slice = |at: usize| buffer.slice(at..at + 1);
    let mut rig = Rig::new(quiet());
    let now = rig.now;
    for round in 0..3 {
        rig.receive(Message::Binary(slice(round)));
        rig.receive(Message::Ping(slice(round + 10)));
        let written = Message::Binary(slice(round + 20));
        rig.engine
            .write(written, None, false, || now)
            .expect("room");
        let keyed = Message::Binary(slice(round + 30));
        rig.engine
            .write_latest(keyed, &"key".into(), || now)
            .expect("room");
        assert!(rig.engine.wants_rest());
        rig.engine.rest();
        assert!(!rig.engine.wants_rest());
        assert!(buffer.is_unique(), "in round {round}");
    }
    let read = rig.engine.read().expect("not ended").expect("readable");
    assert_eq!(read.expect("a message"), Message::Binary(slice(0)));
    assert!(!rig.engine.wants_rest(), "what is left is compact");
}
