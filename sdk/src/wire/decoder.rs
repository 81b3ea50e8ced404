//! Frames in: headers checked, payloads unmasked, text validated, fragments joined.

use std::ops::ControlFlow;

use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;

use super::mask;
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

/// Turns bytes into messages. Sans-IO: it owns no buffer and knows no clock.
#[derive(Debug)]
pub struct Decoder {
    origin: Origin,
    limits: WireLimits,
    /// The frame whose payload is arriving.
    frame: Option<Frame>,
    /// The message whose fragments are arriving. Boxed, since there is none between messages.
    message: Option<Box<Assembly>>,
    /// Where messages may be compressed.
    inflater: Option<Box<Inflater>>,
}

#[derive(Debug)]
struct Frame {
    head: Head,
    payload_bytes: usize,
    /// It belongs to a compressed message: what has come of it is inflated and gone.
    is_deflated: bool,
    /// How much of the payload is unmasked, and validated if it is text.
    done_bytes: usize,
}

#[derive(Debug)]
struct Assembly {
    is_text: bool,
    payload: BytesMut,
    /// Those that began.
    fragments: usize,
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
            limits,
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
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Message>, Error> {
        loop {
            let Some(frame) = &mut self.frame else {
                match self.parse_head(buffer)? {
                    None => return Ok(None),
                    Some(head) => {
                        let payload_bytes = self.admit(&head)?;
                        buffer.advance(head.head_bytes);
                        self.frame = Some(Frame {
                            head,
                            payload_bytes,
                            is_deflated: self.is_deflated(&head),
                            done_bytes: 0,
                        });
                        continue;
                    }
                }
            };
            if frame.is_deflated {
                match self.inflate_part(buffer)? {
                    ControlFlow::Break(message) => return Ok(message),
                    ControlFlow::Continue(()) => continue,
                }
            }
            if buffer.len() < frame.payload_bytes {
                return self.take_part(buffer).map(|()| None);
            }
            let mut payload = buffer.split_to(frame.payload_bytes);
            let (head, done_bytes) = (frame.head, frame.done_bytes);
            self.frame = None;
            mask::apply(&mut payload[done_bytes..], head.mask, done_bytes);
            if let Some(message) = self.finish_frame(head, payload, done_bytes)? {
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
            && !frame.head.opcode.is_control()
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

    /// Checks a header against the message in progress and the limits, before any of its payload
    /// is held.
    fn admit(&mut self, head: &Head) -> Result<usize, Error> {
        let held = self
            .message
            .as_ref()
            .map_or(0, |message| message.payload.len());
        match (head.opcode, &mut self.message) {
            (OpCode::Continuation, None) => {
                return Err(protocol(
                    "WHARF_UNEXPECTED_CONTINUATION",
                    "a continuation came without a message to continue; start with text or binary",
                ));
            }
            (OpCode::Text | OpCode::Binary, Some(_)) => {
                return Err(protocol(
                    "WHARF_EXPECTED_CONTINUATION",
                    "a new message began inside a fragmented one; finish that one first",
                ));
            }
            (OpCode::Continuation, Some(message)) => {
                message.fragments += 1;
                if message.fragments > self.limits.max_fragments {
                    return Err(Error::new(
                        ErrorKind::TooLarge,
                        "WHARF_TOO_MANY_FRAGMENTS",
                        format!(
                            "a message has more than {} fragments; send fewer and larger ones",
                            self.limits.max_fragments
                        ),
                    ));
                }
            }
            _ => {}
        }
        if head.opcode.is_control() {
            // At most 125 by the header check.
            return Ok(head.payload_bytes as usize);
        }
        if self.is_deflated(head) {
            self.check_deflated_bytes(head.payload_bytes)?;
        } else {
            let total = head.payload_bytes.saturating_add(held as u64);
            self.check_message_bytes(total)?;
        }
        // At most a limit, which is a usize.
        Ok(head.payload_bytes as usize)
    }

    /// Refuses a message of this size, reassembled, if it is over the limit.
    pub(super) fn check_message_bytes(&self, total: u64) -> Result<(), Error> {
        let limit = self.limits.max_message_bytes;
        if total <= limit as u64 {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::TooLarge,
            "WHARF_MESSAGE_TOO_LARGE",
            format!(
                "a message is over the limit of {limit} bytes; send less or raise \
                 max_message_bytes"
            ),
        ))
    }

    /// Unmasks and validates what has come of a frame that is not complete.
    fn take_part(&mut self, buffer: &mut BytesMut) -> Result<(), Error> {
        let Some(frame) = &mut self.frame else {
            return Ok(());
        };
        if frame.head.opcode.is_control() {
            return Ok(());
        }
        if frame.head.opcode != OpCode::Continuation && self.message.is_none() {
            let is_text = frame.head.opcode == OpCode::Text;
            self.message = Some(Box::new(Assembly::new(is_text)));
        }
        let part = &mut buffer[frame.done_bytes..];
        mask::apply(part, frame.head.mask, frame.done_bytes);
        frame.done_bytes += part.len();
        match &mut self.message {
            Some(message) if message.is_text => message.check_text(part),
            _ => Ok(()),
        }
    }

    /// Takes a whole, unmasked frame of which `done_bytes` are validated.
    fn finish_frame(
        &mut self,
        head: Head,
        payload: BytesMut,
        done_bytes: usize,
    ) -> Result<Option<Message>, Error> {
        match head.opcode {
            OpCode::Ping => return Ok(Some(Message::Ping(payload.freeze()))),
            OpCode::Pong => return Ok(Some(Message::Pong(payload.freeze()))),
            OpCode::Close => return parse_close(&payload).map(|frame| Some(Message::Close(frame))),
            OpCode::Text if head.fin && self.message.is_none() => {
                return text(payload.freeze()).map(Some);
            }
            OpCode::Binary if head.fin && self.message.is_none() => {
                return Ok(Some(Message::Binary(payload.freeze())));
            }
            OpCode::Text | OpCode::Binary | OpCode::Continuation => {}
        }

        let message = self
            .message
            .get_or_insert_with(|| Box::new(Assembly::new(head.opcode == OpCode::Text)));
        // The end is checked with the whole.
        if message.is_text && !head.fin {
            message.check_text(&payload[done_bytes..])?;
        }
        if message.payload.is_empty() && head.fin {
            // The only fragment with a payload: no copy.
            message.payload = payload;
        } else {
            message.payload.extend_from_slice(&payload);
        }
        if !head.fin {
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

    fn into_message(self) -> Result<Message, Error> {
        let bytes = self.payload.freeze();
        if !self.is_text {
            return Ok(Message::Binary(bytes));
        }
        text(bytes)
    }

    fn check_text(&mut self, piece: &[u8]) -> Result<(), Error> {
        if self.utf8.feed(piece) {
            Ok(())
        } else {
            Err(invalid_utf8())
        }
    }
}

fn text(bytes: Bytes) -> Result<Message, Error> {
    ByteString::try_from(bytes)
        .map(Message::Text)
        .map_err(|_| invalid_utf8())
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
