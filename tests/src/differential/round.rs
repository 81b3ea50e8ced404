//! A round: what a client does to one session, made from a seed.

use std::fmt;

use bytes::Bytes;
use fastrand::Rng;
use wharf_sdk::{CloseFrame, Message, SlowClient};

use super::{
    script::{Manner, Script, Stop},
    terms::{self, Terms},
    violation::{self, Violation},
};
use crate::client::{Deflate, Frame, RSV1};

/// Pongs that wait to be sent are bounded; a round stays below, or it would depend on timing which
/// are dropped. Between two waits there are fewer pings than this.
const MAX_PINGS: usize = 8;

/// Which half of a session is tested; the round is what the other one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    #[cfg(feature = "client")]
    Client,
}

impl Side {
    /// Whether what is sent to it has to be masked.
    fn wants_masks(self) -> bool {
        self == Self::Server
    }
}

/// One session's life, as its peer leads it.
#[derive(Debug, Clone)]
pub(super) struct Round {
    pub(super) terms: Terms,
    pub(super) script: Script,
    pub(super) manner: Manner,
    /// Whether the first bytes come with the request.
    pub(super) is_early: bool,
    pub(super) ops: Vec<Op>,
}

/// One thing that the client does.
#[derive(Clone)]
pub(super) struct Op {
    pub(super) effect: Effect,
    /// What it sends for it.
    pub(super) bytes: Bytes,
    /// Where these are cut into packets, and whether anything arrives before the rest leaves.
    pub(super) cuts: Vec<(usize, Pause)>,
}

/// What an operation means to the server, as its maker knows: nothing here was decoded.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    /// A message, with control frames between its fragments.
    Message(Message, Vec<Message>),
    /// A ping or pong.
    Control(Message),
    /// Something forbidden, behind valid control frames.
    Violation(Violation, Vec<Message>),
    /// A close.
    Close(Option<CloseFrame>),
    /// The beginning of a message that does not go on, with control frames inside; then the
    /// outbound direction ends.
    Incomplete(Vec<Message>),
    /// Waits for everything that has to come back.
    Wait,
    /// Ends the outbound direction.
    HalfClose,
    /// Drops the connection.
    Vanish,
}

/// What lies between two packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    /// Nothing: they may arrive together.
    None,
    /// A turn of the scheduler.
    Turn,
    /// A millisecond.
    Sleep,
}

impl Round {
    /// The round of this seed, always the same.
    pub(super) fn of(seed: u64, against: Side) -> Self {
        let mut rng = Rng::with_seed(seed);
        let terms = choose(&mut rng, &terms::all());
        let script = script(&mut rng, &terms);
        let manner = manner(&mut rng, &terms, &script);
        let deflate = terms
            .compression
            .map(|(_, takeover)| Deflate::of_a_client(rng.u32(1..=9), takeover));
        let mut maker = Maker {
            rng,
            terms,
            against,
            deflate,
        };
        Self {
            is_early: maker.rng.u8(..) < 64,
            ops: maker.ops(),
            terms,
            script,
            manner,
        }
    }

    /// Whether a frame without a name comes, which is forbidden only where drivers do not hand it
    /// on.
    pub(super) fn has_unknown(&self) -> bool {
        self.ops.iter().any(|op| match &op.effect {
            Effect::Violation(violation, _) => violation.error == violation::UNKNOWN,
            _ => false,
        })
    }
}

fn choose<T: Clone>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())].clone()
}

fn script(rng: &mut Rng, terms: &Terms) -> Script {
    if terms.excess().is_some() || terms.waits() && rng.bool() {
        return Script::Repeat(rng.usize(1..10));
    }
    let stop = Script::Stop(
        rng.usize(0..6),
        match rng.u8(0..5) {
            0 => Stop::Return,
            1 => Stop::Refuse(4000 + rng.u16(0..999), "as the script says"),
            2 => Stop::Fail,
            3 => Stop::Panic,
            _ => Stop::Close(3000 + rng.u16(0..999), "enough"),
        },
    );
    let scripts = [
        Script::Echo,
        Script::Echo,
        Script::Describe,
        Script::Repeat(rng.usize(0..4)),
        Script::Ping,
        Script::Greet,
        Script::Gather(rng.usize(1..4)),
        stop,
    ];
    choose(rng, &scripts)
}

fn manner(rng: &mut Rng, terms: &Terms, script: &Script) -> Manner {
    let manners = [
        Manner::Plain,
        Manner::Dyn,
        Manner::Stream,
        Manner::Impatient,
        Manner::Sink,
        Manner::Flushing,
        Manner::Drowsy,
        Manner::Elsewhere,
    ];
    // What another task does not get rid of is no failure of the handler's, and a handler that
    // ends does not wait for it: it works only for handlers that neither end nor are refused.
    let ends = matches!(script, Script::Stop(..));
    let is_refused = terms.excess().is_some() || terms.max_outbound_bytes < terms.max_message_bytes;
    let manners = match (ends, is_refused) {
        (_, true) => &manners[..2],
        (true, false) => &manners[..manners.len() - 1],
        (false, false) => &manners[..],
    };
    choose(rng, manners)
}

struct Maker {
    rng: Rng,
    terms: Terms,
    against: Side,
    /// Where messages may be compressed.
    deflate: Option<Deflate>,
}

impl Maker {
    fn ops(&mut self) -> Vec<Op> {
        let mut ops = Vec::new();
        let mut pings = 0;
        for _ in 0..self.rng.usize(0..12) {
            let effect_and_bytes = match self.rng.u8(0..100) {
                0..60 => self.message(),
                60..85 => self.control(),
                85..88 => self.too_much(),
                _ => (Effect::Wait, Bytes::new()),
            };
            pings += effect_and_bytes.0.pings();
            if pings > MAX_PINGS {
                pings = effect_and_bytes.0.pings();
                ops.push(self.cut((Effect::Wait, Bytes::new())));
            }
            ops.push(self.cut(effect_and_bytes));
        }
        let end = self.end();
        ops.extend(end);
        ops
    }

    /// How a client ends, and what it says afterwards.
    fn end(&mut self) -> Vec<Op> {
        let mut effects = Vec::new();
        match self.rng.u8(0..100) {
            0..45 => {
                let violation = self.violation();
                let (beginning, controls) = match violation.needs_open_message() {
                    Some(needed) if !needed => (Bytes::new(), Vec::new()),
                    needed if needed.is_some() || self.rng.u8(..) < 100 => self.beginning(),
                    _ => (Bytes::new(), Vec::new()),
                };
                let bytes = join([beginning, violation.bytes()]);
                effects.push((Effect::Violation(violation, controls), bytes));
            }
            45..70 => effects.push(self.close()),
            70..80 => {
                let (mut bytes, controls) = self.beginning();
                if controls.is_empty() {
                    let more = Frame::continuation(self.payload(true, 20));
                    bytes = join([bytes, self.masked(more).to_bytes()]);
                    bytes.truncate(self.rng.usize(1..bytes.len()));
                }
                effects.push((Effect::Incomplete(controls), bytes));
            }
            80..88 => effects.push((Effect::HalfClose, Bytes::new())),
            _ => effects.push((Effect::Vanish, Bytes::new())),
        }
        for _ in 0..self.rng.usize(0..4) {
            let behind = match self.rng.u8(0..10) {
                0..4 => self.message(),
                4..6 => self.control(),
                6 => self.close(),
                7 => {
                    let violation = self.violation();
                    if violation.needs_open_message() == Some(true) {
                        continue;
                    }
                    let bytes = violation.bytes();
                    (Effect::Violation(violation, Vec::new()), bytes)
                }
                _ => (Effect::HalfClose, Bytes::new()),
            };
            effects.push(behind);
        }
        effects.into_iter().map(|effect| self.cut(effect)).collect()
    }

    fn violation(&mut self) -> Violation {
        let violation = violation::random(&mut self.rng, &self.terms);
        match self.against.wants_masks() {
            true => violation,
            false => violation.of_a_server(),
        }
    }

    fn message(&mut self) -> (Effect, Bytes) {
        let is_text = self.rng.bool();
        let bytes = self.size();
        let payload = self.payload(is_text, bytes);
        let (sent, rsv) = match &mut self.deflate {
            Some(deflate) if self.rng.u8(0..4) > 0 => (deflate.deflate(&payload).into(), RSV1),
            _ => (payload.clone(), 0),
        };
        let most = self.terms.max_fragments.min(6);
        let fragments = match self.rng.u8(0..10) {
            0..6 => 1,
            _ => self.rng.usize(1..=most),
        };
        let mut ends: Vec<_> = (1..fragments)
            .map(|_| self.rng.usize(..=sent.len()))
            .collect();
        ends.push(sent.len());
        ends.sort_unstable();
        let (mut out, mut controls, mut from) = (Vec::new(), Vec::new(), 0);
        for (index, end) in ends.into_iter().enumerate() {
            if index > 0 && self.rng.u8(0..10) < 4 {
                out.push(self.control_between(&mut controls));
            }
            let piece = sent.slice(from..end);
            let frame = match (index, is_text) {
                (0, true) => Frame::new(crate::client::opcode::TEXT, piece).reserved(rsv),
                (0, false) => Frame::binary(piece).reserved(rsv),
                _ => Frame::continuation(piece),
            };
            let frame = if index + 1 < fragments {
                frame.unfinished()
            } else {
                frame
            };
            out.push(self.masked(frame).to_bytes());
            from = end;
        }
        let message = if is_text {
            String::from_utf8(payload.to_vec()).expect("text").into()
        } else {
            payload.into()
        };
        (Effect::Message(message, controls), join(out))
    }

    /// More messages, or a larger one, than usual.
    fn too_much(&mut self) -> (Effect, Bytes) {
        let most = self.terms.max_message_bytes.min(100_000);
        let payload = self.payload(false, self.terms.max_message_bytes.min(70_000));
        let payload = payload.slice(..self.rng.usize(..=payload.len()).min(most));
        let bytes = self.masked(Frame::binary(payload.clone())).to_bytes();
        (Effect::Message(payload.into(), Vec::new()), bytes)
    }

    fn control(&mut self) -> (Effect, Bytes) {
        let mut controls = Vec::new();
        let bytes = self.control_between(&mut controls);
        (Effect::Control(controls.remove(0)), bytes)
    }

    fn control_between(&mut self, controls: &mut Vec<Message>) -> Bytes {
        let bytes = match self.rng.u8(0..4) {
            0 => 0,
            1 => 125,
            _ => self.rng.usize(..125),
        };
        let payload = self.payload(false, bytes);
        let (frame, message) = if self.rng.u8(0..3) == 0 {
            (Frame::pong(payload.clone()), Message::Pong(payload))
        } else {
            (Frame::ping(payload.clone()), Message::Ping(payload))
        };
        controls.push(message);
        self.masked(frame).to_bytes()
    }

    fn close(&mut self) -> (Effect, Bytes) {
        const CODES: [u16; 9] = [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4321, 4999];
        let frame = if self.rng.u8(0..4) == 0 {
            None
        } else {
            let reason = match self.rng.u8(0..4) {
                0 => "é".repeat(61),
                1 => "so long".to_owned(),
                _ => String::new(),
            };
            let code = choose(&mut self.rng, &CODES);
            Some(CloseFrame::new(code, reason).expect("sendable"))
        };
        let wire = match &frame {
            None => Frame::new(crate::client::opcode::CLOSE, Bytes::new()),
            Some(frame) => Frame::close(frame.code().as_u16(), &**frame.reason()),
        };
        let bytes = self.masked(wire).to_bytes();
        (Effect::Close(frame), bytes)
    }

    /// The first fragment of a message and maybe a control frame, within every limit.
    fn beginning(&mut self) -> (Bytes, Vec<Message>) {
        let first = self.data_frame().unfinished().to_bytes();
        let mut controls = Vec::new();
        if self.rng.bool() {
            return (first, controls);
        }
        let between = self.control_between(&mut controls);
        (join([first, between]), controls)
    }

    /// A small frame, in text and in binary.
    fn data_frame(&mut self) -> Frame {
        let payload = self.payload(true, 20);
        let frame = Frame::new(if self.rng.bool() { 1 } else { 2 }, payload);
        self.masked(frame)
    }

    fn masked(&mut self, frame: Frame) -> Frame {
        let mask = match self.rng.u8(0..8) {
            0 => [0; 4],
            _ => self.rng.u32(..).to_be_bytes(),
        };
        Frame {
            mask: self.against.wants_masks().then_some(mask),
            ..frame
        }
    }

    /// A payload's size, around the lengths at which the head changes its form.
    fn size(&mut self) -> usize {
        let size = match self.rng.u8(0..100) {
            0..5 => 0,
            5..60 => self.rng.usize(1..100),
            60..75 => self.rng.usize(120..132),
            75..92 => self.rng.usize(132..2000),
            92..94 => self.rng.usize(65_530..65_542),
            94..96 => self.rng.usize(2000..30_000),
            96..98 => self.terms.max_message_bytes - 1,
            _ => self.terms.max_message_bytes,
        };
        // A default limit of a megabyte is for other cases: here it would be most of the time.
        if size > 100_000 { 1000 } else { size }.min(self.terms.max_message_bytes)
    }

    fn payload(&mut self, is_text: bool, bytes: usize) -> Bytes {
        if !is_text {
            let mut payload = vec![0; bytes];
            // Where it could be compressed, some of it can.
            if self.deflate.is_none() || self.rng.bool() {
                self.rng.fill(&mut payload);
            }
            return payload.into();
        }
        const CHARS: [char; 8] = ['a', ' ', '\0', 'ß', '中', '\u{FFFF}', '😀', '\u{10FFFF}'];
        let mut text = String::with_capacity(bytes);
        while text.len() < bytes {
            let next = choose(&mut self.rng, &CHARS);
            let fits = text.len() + next.len_utf8() <= bytes;
            text.push(if fits { next } else { '.' });
        }
        text.into()
    }

    /// Cuts what an operation sends into packets: anywhere, heads included.
    fn cut(&mut self, (effect, bytes): (Effect, Bytes)) -> Op {
        let mut cuts = Vec::new();
        if !bytes.is_empty() {
            let count = match self.rng.u8(0..10) {
                0..5 => 0,
                5..9 => self.rng.usize(1..4),
                // Every byte of the head, and some of the payload, on its own.
                _ => 16,
            };
            for index in 0..count {
                let near_the_head = count == 16 || self.rng.bool();
                let at = match near_the_head {
                    true => (index + 1).min(bytes.len()),
                    false => self.rng.usize(..=bytes.len()),
                };
                let pause = match self.rng.u8(0..20) {
                    0..8 => Pause::None,
                    8..18 => Pause::Turn,
                    _ => Pause::Sleep,
                };
                cuts.push((at, pause));
            }
            cuts.sort_unstable_by_key(|(at, _)| *at);
        }
        Op {
            effect,
            bytes,
            cuts,
        }
    }
}

impl Op {
    pub(super) fn is_message(&self) -> bool {
        matches!(self.effect, Effect::Message(..))
    }
}

impl Effect {
    fn pings(&self) -> usize {
        let is_ping = |message: &&Message| matches!(message, Message::Ping(_));
        match self {
            Self::Message(_, controls)
            | Self::Violation(_, controls)
            | Self::Incomplete(controls) => controls.iter().filter(is_ping).count(),
            Self::Control(message) => usize::from(is_ping(&message)),
            _ => 0,
        }
    }
}

impl Terms {
    /// Whether a full queue makes the handler fail.
    pub(super) fn fails_when_full(&self) -> bool {
        let slow = self.queue.map(|(_, slow)| slow);
        matches!(slow, Some(SlowClient::Error | SlowClient::Close))
    }
}

fn join(parts: impl IntoIterator<Item = Bytes>) -> Bytes {
    parts.into_iter().collect::<Vec<_>>().concat().into()
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.effect.fmt(f)?;
        if self.bytes.is_empty() {
            return Ok(());
        }
        let shown: String = self
            .bytes
            .iter()
            .take(48)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let more = if self.bytes.len() > 48 { "…" } else { "" };
        write!(f, "\n        as {} bytes {shown}{more}", self.bytes.len())?;
        if !self.cuts.is_empty() {
            write!(f, "\n        cut at {:?}", self.cuts)?;
        }
        Ok(())
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            terms,
            script,
            manner,
            is_early,
            ops,
        } = self;
        writeln!(f, "  at {}, {script:?}, {manner:?}", terms.path)?;
        if *is_early {
            writeln!(f, "    the first bytes come with the request")?;
        }
        for op in ops {
            writeln!(f, "    {op:?}")?;
        }
        Ok(())
    }
}
