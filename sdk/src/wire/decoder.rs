//! Frames in: headers checked, payloads unmasked, text validated, fragments joined.

use std::ops::ControlFlow;

use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;

use super::{mask, pool};
use crate::{
    message::{CloseCode, CloseFrame, Error, ErrorKind, Message},
    policy::DeflateParams,
    wire::{
        deflate::{Inflater, Inflating},
        frame::{Head, OpCode, Origin},
        limits::WireLimits,
        role::Role,
        transport::Unfinished,
        utf8::Utf8Stream,
        violation::{invalid_utf8, protocol},
    },
};

/// How far a buffer grows ahead of what has arrived: an announced length costs nothing until its
/// bytes come.
const GROWTH_BYTES: usize = 64 * 1024;

/// The head of a masked frame of at most 125 bytes.
const SHORT_HEAD_BYTES: usize = 6;

/// The longest payload of such a frame.
const MAX_SHORT_BYTES: usize = 125;

/// Turns bytes into messages. Sans-IO: it owns no buffer and knows no clock.
#[derive(Debug)]
pub struct Decoder {
    origin: Origin,
    max_fragments: u32,
    max_message_bytes: usize,
    /// The frame whose payload is arriving.
    frame: Option<Frame>,
    /// The message whose fragments are arriving. Boxed, since there is none between messages.
    message: Option<Box<Assembly>>,
    /// Where messages may be compressed.
    inflater: Option<Box<Inflater>>,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: OpCode,
    fin: bool,
    /// It belongs to a compressed message: what has come of it is inflated and gone.
    is_deflated: bool,
    mask: [u8; 4],
    payload_bytes: usize,
    /// How much of the payload is unmasked, and validated if it is text.
    done_bytes: usize,
}

#[derive(Debug)]
struct Assembly {
    is_text: bool,
    payload: BytesMut,
    /// Those that began.
    fragments: u32,
    complete_fragments: u64,
    utf8: Utf8Stream,
    /// Where the message is compressed.
    inflating: Option<Inflating>,
    /// Of what has come, more is to be inflated in another turn.
    is_paused: bool,
}

impl Decoder {
    /// Decodes what a client sends.
    pub fn new(limits: WireLimits) -> Self {
        Self {
            origin: Origin::Client,
            max_fragments: u32::try_from(limits.max_fragments).unwrap_or(u32::MAX),
            max_message_bytes: limits.max_message_bytes,
            frame: None,
            message: None,
            inflater: None,
        }
    }

    /// Decodes what a server sends.
    pub fn for_client(limits: WireLimits) -> Self {
        Self {
            origin: Origin::Server,
            ..Self::new(limits)
        }
    }

    /// Decodes what the other side sends.
    pub(super) fn for_role(role: Role, limits: WireLimits) -> Self {
        Self {
            origin: role.peer(),
            ..Self::new(limits)
        }
    }

    /// Takes compressed messages too. Without the feature `deflate`, there are none.
    pub fn set_deflate(&mut self, params: &DeflateParams) {
        self.inflater = Inflater::agreed(params);
    }

    /// Takes the next message out of `buffer`; `None` asks for more bytes.
    ///
    /// # Errors
    ///
    /// The violation, with the kind that tells its close code. The decoder is done after one.
    #[inline]
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Message>, Error> {
        match self.short_frame(buffer) {
            Some((opcode, payload_bytes)) => {
                let frame = buffer.split_to(SHORT_HEAD_BYTES + payload_bytes);
                whole(opcode, unmask_short(frame)).map(Some)
            }
            None => self.decode_any(buffer),
        }
    }

    /// The kind and the payload's size of what nearly every frame of a client's is: a short message of data,
    /// whole, plain, and all there. Whatever else it may be is for [`decode_any`](Self::decode_any) to say.
    #[inline]
    fn short_frame(&self, buffer: &[u8]) -> Option<(OpCode, usize)> {
        let &[first, second, _, _, _, _, ref payload @ ..] = buffer else {
            return None;
        };
        let opcode = match first {
            0x81 => OpCode::Text,
            0x82 => OpCode::Binary,
            _ => return None,
        };
        let payload_bytes = usize::from(second & 0x7F);
        let is_short = second & 0x80 != 0
            && payload_bytes <= MAX_SHORT_BYTES
            && payload_bytes <= payload.len()
            && payload_bytes <= self.max_message_bytes;
        let is_expected = self.origin == Origin::Client && self.is_at_boundary();
        (is_short && is_expected).then_some((opcode, payload_bytes))
    }

    /// The same for any frame.
    fn decode_any(&mut self, buffer: &mut BytesMut) -> Result<Option<Message>, Error> {
        loop {
            // Of most frames, the header comes with the whole payload.
            let (frame, head_bytes) = match self.frame {
                Some(frame) => (frame, 0),
                None => match self.parse_head(buffer)? {
                    None => return Ok(None),
                    Some(head) => (self.admit(&head)?, usize::from(head.head_bytes)),
                },
            };
            if frame.is_deflated || buffer.len() - head_bytes < frame.payload_bytes {
                buffer.advance(head_bytes);
                self.frame = Some(frame);
                match self.take_part(buffer)? {
                    ControlFlow::Break(message) => return Ok(message),
                    ControlFlow::Continue(()) => continue,
                }
            }
            self.frame = None;
            let frame_bytes = head_bytes + frame.payload_bytes;
            let mut bytes = match frame_bytes == buffer.len() && frame_bytes >= pool::LARGE_BYTES {
                // It takes its buffer along: what is read next must not keep it.
                true => std::mem::take(buffer),
                false => buffer.split_to(frame_bytes),
            };
            let masked = &mut bytes[head_bytes + frame.done_bytes..];
            mask::apply(masked, frame.mask, frame.done_bytes);
            if frame.fin && (self.message.is_none() || frame.opcode.is_control()) {
                let mut payload = bytes.freeze();
                payload.advance(head_bytes);
                return whole(frame.opcode, payload).map(Some);
            }
            bytes.advance(head_bytes);
            if let Some(message) = self.join(frame, bytes)? {
                return Ok(Some(message));
            }
        }
    }

    /// How much of a message has come, when `buffered` bytes are not decoded yet.
    pub(super) fn unfinished(&self, buffered: usize) -> Unfinished {
        let mut unfinished = Unfinished::default();
        if let Some(message) = &self.message {
            // Of a compressed message, what it was on its way: it is the peer's speed that counts.
            unfinished.bytes += match &message.inflating {
                Some(inflating) => inflating.taken_bytes(),
                None => message.payload.len() as u64,
            };
            unfinished.fragments += message.complete_fragments;
        }
        if let Some(frame) = &self.frame
            && !frame.opcode.is_control()
        {
            unfinished.bytes += buffered as u64;
        }
        unfinished
    }

    /// Whether the bytes so far end between two messages.
    pub fn is_at_boundary(&self) -> bool {
        self.frame.is_none() && self.message.is_none()
    }

    /// How many bytes the buffer should have room for beyond what it holds.
    pub(super) fn wanted_bytes(&self, held: usize) -> usize {
        let missing = self
            .frame
            .as_ref()
            .map_or(0, |frame| match frame.is_deflated {
                true => frame.payload_bytes - frame.done_bytes,
                false => frame.payload_bytes.saturating_sub(held),
            });
        missing.min(GROWTH_BYTES.max(held))
    }

    /// What is missing of a frame that gets a buffer of its own, when the buffer holds this much of
    /// it already.
    pub(super) fn large_frame_missing(&self, held: usize) -> Option<usize> {
        let frame = self.frame.as_ref()?;
        let is_large = frame.payload_bytes >= pool::LARGE_BYTES && !frame.is_deflated;
        is_large.then(|| frame.payload_bytes.saturating_sub(held))
    }

    /// Checks a header against the message in progress and the limits, before any of its payload
    /// is held.
    #[inline]
    fn admit(&mut self, head: &Head) -> Result<Frame, Error> {
        let mut is_deflated = head.is_deflated;
        if !head.opcode.is_control() {
            let mut held_bytes = 0;
            match (&mut self.message, head.opcode) {
                (None, OpCode::Continuation) => return Err(unexpected_continuation()),
                (None, _) => {}
                (Some(message), OpCode::Continuation) => {
                    message.begin_fragment(self.max_fragments)?;
                    is_deflated = message.inflating.is_some();
                    held_bytes = message.payload.len();
                }
                (Some(_), _) => return Err(expected_continuation()),
            }
            if is_deflated {
                self.check_deflated_bytes(head.payload_bytes)?;
            } else {
                self.check_message_bytes(head.payload_bytes.saturating_add(held_bytes as u64))?;
            }
        }
        Ok(Frame {
            opcode: head.opcode,
            fin: head.fin,
            is_deflated,
            mask: head.mask,
            // At most a limit, which is a usize; 125 of a control frame, by the header check.
            payload_bytes: head.payload_bytes as usize,
            done_bytes: 0,
        })
    }

    /// Refuses a message of this size, reassembled, if it is over the limit.
    #[inline]
    pub(super) fn check_message_bytes(&self, total: u64) -> Result<(), Error> {
        let limit = self.max_message_bytes;
        match total <= limit as u64 {
            true => Ok(()),
            false => Err(too_large(limit)),
        }
    }

    /// Takes what has come of a frame that is not complete, or compressed. Breaks with the message
    /// if it is whole, with nothing if more has to come; goes on with the next frame else.
    fn take_part(&mut self, buffer: &mut BytesMut) -> Result<ControlFlow<Option<Message>>, Error> {
        const MORE: ControlFlow<Option<Message>> = ControlFlow::Break(None);
        let Some(frame) = &mut self.frame else {
            return Ok(MORE);
        };
        if frame.is_deflated {
            return self.inflate_part(buffer);
        }
        if frame.opcode.is_control() {
            return Ok(MORE);
        }
        if frame.opcode != OpCode::Continuation && self.message.is_none() {
            let is_text = frame.opcode == OpCode::Text;
            self.message = Some(Box::new(Assembly::new(is_text)));
        }
        let part = &mut buffer[frame.done_bytes..];
        mask::apply(part, frame.mask, frame.done_bytes);
        frame.done_bytes += part.len();
        if let Some(message) = &mut self.message
            && message.is_text
        {
            message.check_text(part)?;
        }
        Ok(MORE)
    }

    /// Joins a complete, unmasked frame to the message in progress, or begins one with it.
    fn join(&mut self, frame: Frame, payload: BytesMut) -> Result<Option<Message>, Error> {
        let message = self
            .message
            .get_or_insert_with(|| Box::new(Assembly::new(frame.opcode == OpCode::Text)));
        // The end is checked with the whole.
        if message.is_text && !frame.fin {
            message.check_text(&payload[frame.done_bytes..])?;
        }
        if message.payload.is_empty() && frame.fin {
            // The only fragment with a payload: no copy.
            message.payload = payload;
        } else {
            message.payload.extend_from_slice(&payload);
        }
        if !frame.fin {
            message.complete_fragments += 1;
            return Ok(None);
        }
        let Some(message) = self.message.take() else {
            return Ok(None);
        };
        message.into_message().map(Some)
    }
}

impl Assembly {
    fn new(is_text: bool) -> Self {
        Self {
            is_text,
            payload: BytesMut::new(),
            fragments: 1,
            complete_fragments: 0,
            utf8: Utf8Stream::default(),
            inflating: None,
            is_paused: false,
        }
    }

    /// Counts another fragment, if the limit allows it.
    fn begin_fragment(&mut self, limit: u32) -> Result<(), Error> {
        self.fragments = self.fragments.saturating_add(1);
        if self.fragments > limit {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "WHARF_TOO_MANY_FRAGMENTS",
                format!("a message has more than {limit} fragments; send fewer and larger ones"),
            ));
        }
        Ok(())
    }

    fn into_message(self) -> Result<Message, Error> {
        let opcode = match self.is_text {
            true => OpCode::Text,
            false => OpCode::Binary,
        };
        whole(opcode, self.payload.freeze())
    }

    fn check_text(&mut self, piece: &[u8]) -> Result<(), Error> {
        if self.utf8.feed(piece) {
            Ok(())
        } else {
            Err(invalid_utf8())
        }
    }
}

/// The payload of a frame with a short head and a mask.
#[inline]
fn unmask_short(mut frame: BytesMut) -> Bytes {
    let (head, payload) = frame.split_at_mut(SHORT_HEAD_BYTES);
    mask::apply(payload, [head[2], head[3], head[4], head[5]], 0);
    let mut payload = frame.freeze();
    payload.advance(SHORT_HEAD_BYTES);
    payload
}

/// The message that consists of one frame, or of all its fragments.
#[inline]
fn whole(opcode: OpCode, payload: Bytes) -> Result<Message, Error> {
    match opcode {
        OpCode::Text => match ByteString::try_from(payload) {
            Ok(text) => Ok(Message::Text(text)),
            Err(_) => Err(invalid_utf8()),
        },
        OpCode::Binary | OpCode::Continuation => Ok(Message::Binary(payload)),
        OpCode::Ping => Ok(Message::Ping(payload)),
        OpCode::Pong => Ok(Message::Pong(payload)),
        OpCode::Close => parse_close(&payload).map(Message::Close),
    }
}

#[cold]
fn unexpected_continuation() -> Error {
    protocol(
        "WHARF_UNEXPECTED_CONTINUATION",
        "a continuation came without a message to continue; start with text or binary",
    )
}

#[cold]
fn expected_continuation() -> Error {
    protocol(
        "WHARF_EXPECTED_CONTINUATION",
        "a new message began inside a fragmented one; finish that one first",
    )
}

#[cold]
fn too_large(limit: usize) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "WHARF_MESSAGE_TOO_LARGE",
        format!(
            "a message is over the limit of {limit} bytes; send less or raise max_message_bytes"
        ),
    )
}

/// Parses a close payload ([RFC 6455 §5.5.1](https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1)).
fn parse_close(payload: &[u8]) -> Result<Option<CloseFrame>, Error> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [_] => {
            return Err(protocol(
                "WHARF_INVALID_CLOSE",
                "a close payload of one byte has no room for a code; send none or at least two",
            ));
        }
        [a, b, reason @ ..] => (CloseCode::new(u16::from_be_bytes([*a, *b])), reason),
    };
    if !code.is_sendable() {
        return Err(protocol(
            "WHARF_INVALID_CLOSE",
            "the peer closed with a code that may not be sent; use 1000 or one from 3000-4999",
        ));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| invalid_utf8())?;
    Ok(Some(CloseFrame::cut(code, reason)))
}

#[cfg_attr(
    not(feature = "deflate"),
    allow(unused_mut, unused_variables, reason = "nothing is ever inflated")
)]
mod inflate;
#[cfg(any(test, fuzzing))]
pub(crate) mod properties;
#[cfg(test)]
mod tests;
