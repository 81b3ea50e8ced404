//! The account of what a session was told, and what it owes for it.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use bytestring::ByteString;

use super::super::{
    Counts, Engine, Stage,
    state::{READ_AHEAD_BYTES, READ_AHEAD_MESSAGES},
};
use crate::session::timer::Timer;
use crate::{
    message::{CloseCode, CloseFrame, CloseOutcome, MAX_REASON_BYTES, Message},
    policy::{Limits, SlowClient},
    session::engine::queue::{MAX_KEYS, Removed},
};

/// How many control frames may wait.
const MAX_CONTROL: usize = 32;

/// What became of a write, as the account has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Done,
    Wait,
    Refused(&'static str),
}

/// A message that waits to be sent.
#[derive(Debug)]
struct Waiting {
    message: Message,
    key: Option<ByteString>,
    /// It is not dropped to make room.
    stays: bool,
}

#[derive(Debug)]
pub(super) struct Promises {
    limits: Arc<Limits>,
    /// Control frames and data that wait to be sent, oldest first.
    controls: VecDeque<Message>,
    data: VecDeque<Waiting>,
    /// What the handler has not read yet; `None` stands for an error in a message's place.
    inbound: VecDeque<Option<Message>>,
    reader_gone: bool,
    read_ended: bool,
    /// Nothing more is delivered: the handler finishes what it has.
    drains: bool,
    close_sent: bool,
    peer_closed: bool,
    refuses_writes: bool,
    dropped: Removed,
    gaps: Removed,
    sent: Counts,
    stage: Option<Stage>,
    end: Option<CloseOutcome>,
}

impl Promises {
    pub(super) fn new(limits: Arc<Limits>) -> Self {
        Self {
            limits,
            controls: VecDeque::new(),
            data: VecDeque::new(),
            inbound: VecDeque::new(),
            reader_gone: false,
            read_ended: false,
            drains: false,
            close_sent: false,
            peer_closed: false,
            refuses_writes: false,
            dropped: Removed::default(),
            gaps: Removed::default(),
            sent: Counts::default(),
            stage: None,
            end: None,
        }
    }

    /// A message was handed to the engine.
    pub(super) fn received(&mut self, message: &Message, engine: &Engine) {
        let was_open = !self.reader_gone && !self.read_ended && !self.close_sent;
        match message {
            Message::Ping(payload) if !self.close_sent => {
                self.push_control(Message::Pong(payload.clone()));
            }
            Message::Close(_) => self.peer_closed = true,
            _ => {}
        }
        let is_data = message.is_data() || matches!(message, Message::Unknown(_));
        if !was_open || !(is_data || self.limits.control_frames) {
            return;
        }
        if is_data && engine.is_draining() {
            assert!(self.drains, "a message was dropped in silence");
            return;
        }
        // A rate limit may put an error in its place, or close instead; which, its own tests say.
        let known = self.inbound.len();
        let held = engine.inbound.len() + usize::from(engine.has_stalled());
        if held > known {
            let is_error = engine
                .inbound
                .iter()
                .next_back()
                .is_some_and(Result::is_err);
            self.inbound.push_back((!is_error).then(|| message.clone()));
        } else {
            assert!(
                self.limits.rate_limit.is_some() && engine.is_closing(),
                "a message was dropped in silence"
            );
        }
    }

    /// The handler got this from `read`.
    pub(super) fn read(&mut self, read: Option<Option<crate::Result<Message>>>, engine: &Engine) {
        match read {
            None => {
                assert!(!self.read_ended, "the end was taken back");
                let waits = usize::from(engine.has_stalled());
                assert_eq!(
                    self.inbound.len(),
                    waits,
                    "something is there, but not read"
                );
            }
            Some(None) => {
                let lost = usize::from(engine.end.is_aborted());
                assert!(self.inbound.len() <= lost, "the end overtook a message");
                self.inbound.clear();
                self.read_ended = true;
            }
            Some(Some(item)) => {
                assert!(!self.read_ended, "a message came after the end");
                let expected = self.inbound.pop_front().expect("nothing was received");
                assert!(item.ok() == expected, "messages changed or their order did");
            }
        }
    }

    /// The server shuts down; `is_over` says whether the end had begun.
    pub(super) fn drained(&mut self, is_over: bool) {
        self.drains |= !is_over;
    }

    /// Nobody reads any more.
    pub(super) fn left(&mut self) {
        self.reader_gone = true;
        self.inbound.clear();
    }

    pub(super) fn has_reader(&self) -> bool {
        !self.reader_gone
    }

    /// What a write of this message must come to, taken as done.
    pub(super) fn write(
        &mut self,
        message: &Message,
        key: Option<&ByteString>,
        policy: SlowClient,
        behind_bytes: usize,
    ) -> Expected {
        if !message.is_data() {
            return Expected::Refused("WHARF_CONTROL_WRITE");
        }
        if self.refuses_writes {
            return Expected::Refused("WHARF_CLOSED");
        }
        let bytes = message.payload_bytes();
        if bytes > self.limits.max_outbound_message_bytes {
            return Expected::Refused("WHARF_OUTBOUND_TOO_LARGE");
        }
        let has_place = match key {
            Some(key) => self.put_in_place(message, key),
            None => self.put_in_line(message, policy, behind_bytes),
        };
        if has_place {
            return Expected::Done;
        }
        match policy {
            SlowClient::Wait => Expected::Wait,
            SlowClient::Error | SlowClient::Close => Expected::Refused("WHARF_BACKPRESSURE"),
            SlowClient::DropNewest | SlowClient::DropOldest => {
                self.drop_data(bytes);
                Expected::Done
            }
        }
    }

    /// The latest of a key takes the place of the one before, or one that keys have for themselves.
    fn put_in_place(&mut self, message: &Message, key: &ByteString) -> bool {
        let others = self
            .data
            .iter()
            .filter(|waiting| waiting.key.as_ref().is_some_and(|other| other != key));
        let (count, others_bytes) = tally(others);
        let bytes = message.payload_bytes();
        if count > 0 && (count >= MAX_KEYS || others_bytes + bytes > self.limits.queue_bytes) {
            return false;
        }
        let waiting = Waiting {
            message: message.clone(),
            key: Some(key.clone()),
            stays: true,
        };
        match self
            .data
            .iter()
            .position(|old| old.key.as_ref() == Some(key))
        {
            Some(at) => {
                let old = std::mem::replace(&mut self.data[at], waiting);
                self.drop_data(old.message.payload_bytes());
            }
            None => self.data.push_back(waiting),
        }
        true
    }

    /// Any other message goes behind all, in the room that there is or that can be made.
    fn put_in_line(&mut self, message: &Message, policy: SlowClient, behind_bytes: usize) -> bool {
        let bytes = message.payload_bytes();
        let stays = ![SlowClient::DropNewest, SlowClient::DropOldest].contains(&policy);
        if !self.fits(self.data.iter(), behind_bytes, bytes) {
            let kept = self.data.iter().filter(|waiting| waiting.stays);
            if policy == SlowClient::DropNewest || !self.fits(kept, behind_bytes, bytes) {
                return false;
            }
            while !self.fits(self.data.iter(), behind_bytes, bytes) {
                let oldest = self.data.iter().position(|waiting| !waiting.stays);
                let dropped = self.data.remove(oldest.expect("what stays leaves room"));
                self.drop_data(dropped.expect("it was found").message.payload_bytes());
            }
        }
        self.data.push_back(Waiting {
            message: message.clone(),
            key: None,
            stays,
        });
        true
    }

    /// The engine queued a control frame of ours.
    pub(super) fn push_control(&mut self, message: Message) {
        if self.controls.len() == MAX_CONTROL {
            let is_pong = |message: &Message| matches!(message, Message::Pong(_));
            let overtaken = self.controls.iter().position(is_pong).unwrap_or_default();
            self.controls.remove(overtaken);
        }
        self.controls.push_back(message);
    }

    /// The engine handed this to the transport.
    pub(super) fn transmitted(&mut self, message: &Message, engine: &Engine) {
        assert!(
            !self.close_sent,
            "{message:?} was sent behind the close frame"
        );
        match message {
            Message::Ping(_) | Message::Pong(_) => {
                if self.controls.front() != Some(message) {
                    // The heartbeat's own pings are the engine's to make.
                    assert!(
                        matches!(message, Message::Ping(payload) if payload.len() == 8),
                        "a pong was lost, changed or made up"
                    );
                } else {
                    self.controls.pop_front();
                }
            }
            Message::Text(_) | Message::Binary(_) => {
                assert!(
                    self.controls.is_empty(),
                    "data went ahead of a control frame"
                );
                let waiting = self.data.pop_front().expect("nothing was written");
                assert!(*message == waiting.message, "data changed or its order did");
                self.sent.messages_out += 1;
                self.sent.bytes_out += message.payload_bytes() as u64;
            }
            Message::Close(frame) => {
                assert!(
                    self.controls.is_empty() && self.data.is_empty(),
                    "the close frame went ahead of what was written before"
                );
                self.close_sent = true;
                self.refuses_writes = true;
                assert_sendable(frame.as_ref());
                assert!(engine.is_closing());
            }
            Message::Unknown(_) => panic!("an unknown frame was sent"),
        }
    }

    /// The connection is dropped: nothing more is owed to the peer.
    pub(super) fn dropped(&mut self) {
        self.controls.clear();
        self.data.clear();
    }

    pub(super) fn gap(&mut self, gap: Removed) {
        self.gaps.messages += gap.messages;
        self.gaps.bytes += gap.bytes;
    }

    /// What holds at any moment.
    pub(super) fn check(&mut self, engine: &Engine) {
        if engine.end.is_aborted() || engine.stage() == Stage::Dropped {
            self.dropped();
        }
        self.check_bounds(engine);
        self.check_end(engine);
        let refuses = engine.end.refuses_writes();
        assert!(refuses || !self.refuses_writes, "writes are taken again");
        self.refuses_writes = refuses;

        let counts = engine.counts();
        assert_eq!(counts.messages_dropped, self.dropped.messages);
        assert_eq!(counts.messages_out, self.sent.messages_out);
        assert_eq!(counts.bytes_out, self.sent.bytes_out);
    }

    /// What holds besides when the session is about to sleep: whatever is pending has a timer.
    pub(super) fn check_asleep(&self, engine: &Engine, has_connection: bool, now: Instant) {
        if let Some(deadline) = engine.poll_timeout() {
            assert!(
                deadline > now,
                "a timer that has fired is still set: a spin"
            );
        }
        if !has_connection {
            return;
        }
        let is_set = |timer| engine.timers.is_set(timer);
        if engine.is_draining() {
            // The shutdown has a deadline.
            return;
        }
        if engine.is_closing() {
            assert!(is_set(Timer::Close), "a close without a deadline");
            return;
        }
        let limits = &self.limits;
        if engine.unsent_bytes > 0 || engine.has_output() {
            assert!(is_set(Timer::Write), "a write without a deadline");
        }
        if limits.heartbeat_interval.is_some() {
            let pings = [Timer::Heartbeat, Timer::Write];
            assert!(pings.into_iter().any(is_set), "the heartbeat stopped");
        }
        assert_eq!(is_set(Timer::Idle), limits.idle_timeout.is_some());
        assert_eq!(is_set(Timer::MaxAge), limits.max_age.is_some());
        assert_eq!(is_set(Timer::Rate), engine.has_stalled());
    }

    /// What holds once the session is over.
    pub(super) fn check_over(&mut self, engine: &mut Engine) -> CloseOutcome {
        assert!(!engine.has_output() && engine.poll_transmit().is_none());
        assert!(!engine.wants_input() && engine.is_closed());
        self.gap(engine.take_gap());
        assert_eq!(self.gaps, self.dropped, "drops in silence");
        engine.outcome()
    }

    /// How long an end may take once it has begun.
    pub(super) fn longest_end(&self) -> Duration {
        // The close handshake, then discarding what the peer still sends.
        self.limits.close_timeout * 2
    }

    fn check_bounds(&self, engine: &Engine) {
        let (_, bytes) = tally(self.data.iter());
        assert_eq!(engine.queue.bytes(), bytes, "the queue miscounts");
        assert_eq!(engine.queue.has_data(), !self.data.is_empty());
        let (keyed, others): (Vec<_>, Vec<_>) =
            self.data.iter().partition(|waiting| waiting.key.is_some());
        for (waiting, most) in [(others, self.limits.queue_messages), (keyed, MAX_KEYS)] {
            let (messages, bytes) = tally(waiting.into_iter());
            assert!(messages <= most);
            assert!(
                bytes <= self.limits.queue_bytes || messages == 1,
                "{bytes} bytes are queued where {} are allowed",
                self.limits.queue_bytes
            );
        }

        let inbound = engine.inbound.iter().flatten();
        let bytes: usize = inbound.map(Message::payload_bytes).sum();
        assert_eq!(engine.inbound.bytes(), bytes, "the read-ahead miscounts");
        let last = engine.inbound.iter().next_back();
        let last_bytes = last.and_then(|item| item.as_ref().ok());
        let before_last = bytes - last_bytes.map_or(0, Message::payload_bytes);
        assert!(
            before_last < READ_AHEAD_BYTES,
            "reads ahead without a bound"
        );
        assert!(engine.inbound.len() <= READ_AHEAD_MESSAGES + 1);
    }

    fn check_end(&mut self, engine: &Engine) {
        let order = |stage| match stage {
            Stage::Running => 0,
            Stage::Closing => 1,
            Stage::Dropped => 2,
        };
        let stage = engine.stage();
        let was = self.stage.replace(stage).unwrap_or(Stage::Running);
        assert!(order(stage) >= order(was), "{stage:?} after {was:?}");

        let outcome = engine.outcome();
        let code = outcome.code;
        assert!(
            code.is_sendable() || [CloseCode::NO_STATUS, CloseCode::ABNORMAL].contains(&code),
            "an outcome of {code}"
        );
        assert!(!outcome.clean || (self.close_sent && self.peer_closed));
        if !engine.end.has_begun() {
            assert!(self.end.is_none(), "the end was taken back");
            return;
        }
        let end = self.end.get_or_insert_with(|| outcome.clone());
        let same = (&end.code, &end.reason, &end.initiator);
        assert_eq!(
            same,
            (&code, &outcome.reason, &outcome.initiator),
            "a second end"
        );
    }

    /// Whether a message fits beside those that wait, keys apart.
    fn fits<'a>(
        &self,
        waiting: impl Iterator<Item = &'a Waiting> + Clone,
        behind_bytes: usize,
        bytes: usize,
    ) -> bool {
        let is_alone = waiting.clone().next().is_none() && behind_bytes == 0;
        let (messages, queued) = tally(waiting.filter(|waiting| waiting.key.is_none()));
        is_alone
            || (messages < self.limits.queue_messages
                && queued + behind_bytes + bytes <= self.limits.queue_bytes)
    }

    fn drop_data(&mut self, bytes: usize) {
        self.dropped.messages += 1;
        self.dropped.bytes += bytes as u64;
    }
}

/// How many messages, and their bytes.
fn tally<'a>(waiting: impl Iterator<Item = &'a Waiting>) -> (usize, usize) {
    waiting.fold((0, 0), |(messages, bytes), waiting| {
        (messages + 1, bytes + waiting.message.payload_bytes())
    })
}

fn assert_sendable(frame: Option<&CloseFrame>) {
    if let Some(frame) = frame {
        assert!(frame.code().is_sendable(), "{} was sent", frame.code());
        assert!(frame.reason().len() <= MAX_REASON_BYTES);
    }
}
