//! A life made up out of arbitrary bytes.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use bytestring::ByteString;

use super::life::{Life, Output};
use crate::{
    message::{CloseCode, CloseFrame, Error, ErrorKind, Message, UnknownFrame},
    policy::{Configure, Policy, RateLimit, RatePolicy, SlowClient},
};

pub(super) struct Script {
    pub(super) life: Life,
    /// Makes every payload another one.
    serial: u32,
}

const POLICIES: [SlowClient; 5] = [
    SlowClient::Wait,
    SlowClient::Error,
    SlowClient::DropNewest,
    SlowClient::DropOldest,
    SlowClient::Close,
];

impl Script {
    pub(super) fn new(u: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let limits = policy(u)?
            .resolve("/property")
            .map_err(|_| arbitrary::Error::IncorrectFormat)?;
        let expires_in = u.ratio(1, 8)?.then(|| duration(u)).transpose()?;
        Ok(Self {
            life: Life::new(limits, expires_in),
            serial: 0,
        })
    }

    /// One turn of the loop, in its order, and what others do in between.
    pub(super) fn turn(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        self.pass_time(u)?;
        self.interfere(u)?;
        for _ in 0..u.int_in_range(0..=8)? {
            if self.life.wants_input() {
                self.receive(u)?;
            }
        }
        self.life.look_at_time();
        self.interfere(u)?;
        for _ in 0..u.int_in_range(0..=8)? {
            if self.life.has_handler() {
                self.handle(u)?;
            }
        }
        self.interfere(u)?;
        let output = output(u)?;
        self.life.send(output, u.ratio(1, 2)?);
        self.interfere(u)?;
        if !self.life.is_over() {
            self.life.fall_asleep();
        }
        Ok(())
    }

    /// Ends the life, if it is not over, and sees that nothing changes its end.
    pub(super) fn play_out(mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        if !self.life.is_over() {
            match u.int_in_range(0..=3)? {
                0 => self.life.abort(),
                1 if self.life.has_handler() => self.life.end_handler(frame(u)?, None),
                2 => self.life.kill(),
                _ => self.life.close_as_server(frame(u)?),
            }
        }
        if !self.life.is_over() {
            self.life.fall_asleep();
            self.life.wait_for_the_end();
        }
        // Senders outlive their session.
        self.write(u)?;
        self.life.close(frame(u)?);
        self.life.close_as_server(frame(u)?);
        self.life.kill();
        self.life.check_over();
        Ok(())
    }

    fn pass_time(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let next = self.life.next_deadline();
        match (u.int_in_range(0..=3)?, next) {
            (0, _) => {}
            (1, Some(deadline)) => self.life.wait_until(deadline),
            _ => self.life.wait_until(self.life.now + duration(u)?),
        }
        Ok(())
    }

    /// The peer does something.
    fn receive(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        match u.int_in_range(0..=15)? {
            0..=5 => {
                let message = self.message(u)?;
                self.life.receive(&message);
            }
            6..=8 => {
                let payload = self.payload(u.int_in_range(0..=125)?);
                self.life.receive(&Message::Ping(payload.into_bytes()));
            }
            9 => self.life.receive(&Message::Pong(self.life.last_ping())),
            10 => {
                let payload = self.payload(8).into_bytes();
                self.life.receive(&Message::Pong(payload));
            }
            11 => {
                let frame = u.ratio(3, 4)?.then(|| frame(u)).transpose()?;
                self.life.receive(&Message::Close(frame));
            }
            12 => {
                let payload = self.payload(3).into_bytes();
                let frame = UnknownFrame::new("unknown", payload);
                self.life.receive(&Message::Unknown(Box::new(frame)));
            }
            13 => {
                let kinds = [
                    ErrorKind::Protocol,
                    ErrorKind::InvalidData,
                    ErrorKind::TooLarge,
                ];
                let violation = Error::new(*u.choose(&kinds)?, "WHARF_VIOLATION", "é".repeat(200));
                self.life.receive_violation(violation);
            }
            14 => self.life.receive_end(),
            _ => self.life.arrive(u.int_in_range(0..=40_000)?),
        }
        Ok(())
    }

    /// The handler does something.
    fn handle(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        match u.int_in_range(0..=31)? {
            0..=11 => self.life.read(),
            12..=15 => self.life.read_in_turn(u.int_in_range(1..=9)?),
            16..=28 => self.write(u)?,
            29 => self.life.close(frame(u)?),
            30 => {
                let failure = Error::new(ErrorKind::Internal, "WHARF_HANDLER", "failed");
                let failure = u.ratio(1, 2)?.then_some(failure);
                self.life.end_handler(frame(u)?, failure);
            }
            _ => self.life.leave(),
        }
        Ok(())
    }

    /// A sender, another task or the server does something, at any time.
    fn interfere(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        match u.int_in_range(0..=127)? {
            0..=100 => {}
            101..=116 => self.write(u)?,
            117..=120 => self.life.take_gap(),
            121..=124 => self.life.take_failures(),
            125 if u.ratio(1, 2)? => self.life.drain(frame(u)?),
            125 => self.life.close_as_server(frame(u)?),
            126 => self.life.kill(),
            _ => self.life.abort(),
        }
        Ok(())
    }

    fn write(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        match u.int_in_range(0..=15)? {
            0..=8 => {
                let message = self.message(u)?;
                self.life.write(message, None);
            }
            9..=10 => {
                let message = self.message(u)?;
                self.life.write(message, Some(*u.choose(&POLICIES)?));
            }
            11..=13 => {
                let message = self.message(u)?;
                let key = ByteString::from_static(u.choose(&["a", "b", "c"])?);
                self.life.write_latest(message, &key);
            }
            14 => {
                let payload = self.payload(u.int_in_range(9..=130)?).into_bytes();
                self.life.ping(payload);
            }
            _ => self.life.write(Message::Ping(Bytes::new()), None),
        }
        Ok(())
    }

    fn message(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<Message> {
        let bytes = match u.int_in_range(0..=31)? {
            0 => 100_000,
            1..=4 => 0,
            _ => u.int_in_range(1..=40)?,
        };
        let payload = self.payload(bytes);
        Ok(match bool::arbitrary(u)? {
            true => Message::Text(payload),
            false => Message::Binary(payload.into_bytes()),
        })
    }

    /// At most one payload of each content, unless it is empty.
    fn payload(&mut self, bytes: usize) -> ByteString {
        self.serial += 1;
        if bytes == 0 {
            return ByteString::new();
        }
        let serial = self.serial.to_string();
        let padding = bytes.saturating_sub(serial.len());
        format!("{serial}{}", "x".repeat(padding)).into()
    }
}

fn output(u: &mut Unstructured<'_>) -> arbitrary::Result<Output> {
    Ok(match u.int_in_range(0..=31)? {
        0 => Output::Broken,
        1..=15 => Output::Stuck {
            messages: u.int_in_range(0..=8)?,
            bytes: *u.choose(&[0, 1, 10, 100, 20_000, usize::MAX])?,
        },
        _ => Output::Flushed,
    })
}

/// Small limits, so that they are met.
fn policy(u: &mut Unstructured<'_>) -> arbitrary::Result<Policy> {
    let mut policy = Policy::new()
        .slow_client(*u.choose(&POLICIES)?)
        .queue_messages(u.int_in_range(1..=40)?)
        .control_frames(bool::arbitrary(u)?)
        .write_deadline(limit(u)?)
        .close_timeout(limit(u)?)
        .handler_grace(limit(u)?);
    if u.ratio(7, 8)? {
        policy = policy.queue_bytes(u.int_in_range(1..=200)?);
        policy = policy.max_outbound_message_bytes(u.int_in_range(1..=200)?);
    }
    policy = match u.ratio(1, 2)? {
        true => policy.heartbeat(limit(u)?, limit(u)?),
        false => policy.no_heartbeat(),
    };
    if u.ratio(1, 4)? {
        policy = policy.idle_timeout(limit(u)?);
    }
    if u.ratio(1, 4)? {
        policy = policy.first_message_timeout(limit(u)?);
    }
    if u.ratio(1, 4)? {
        policy = policy.max_age(limit(u)?);
    }
    if u.ratio(1, 4)? {
        let policies = [RatePolicy::Wait, RatePolicy::Error, RatePolicy::Close];
        let limit = RateLimit::per_second(u.int_in_range(1..=20)?)
            .and_bytes(u.int_in_range(1..=200)?)
            .on_excess(*u.choose(&policies)?);
        policy = policy.rate_limit(limit);
    }
    Ok(policy)
}

/// A limit: mostly short, sometimes more than a clock can count.
fn limit(u: &mut Unstructured<'_>) -> arbitrary::Result<Duration> {
    Ok(match u.ratio(1, 16)? {
        true => Duration::MAX,
        false => duration(u)?,
    })
}

fn duration(u: &mut Unstructured<'_>) -> arbitrary::Result<Duration> {
    Ok(Duration::from_millis(u.int_in_range(1..=3000)?))
}

/// A frame that may be sent: what is checked before it reaches the engine.
fn frame(u: &mut Unstructured<'_>) -> arbitrary::Result<CloseFrame> {
    let code = CloseCode::new(*u.choose(&[1000, 1001, 1008, 1011, 3000, 4999])?);
    let reason = *u.choose(&["", "because"])?;
    CloseFrame::new(code, reason).map_err(|_| arbitrary::Error::IncorrectFormat)
}
