//! Compressed messages: inflated as they arrive, and never beyond the limit.

use std::ops::ControlFlow;

use bytes::{Buf, BytesMut};

use super::{Assembly, Decoder};
use crate::{
    message::{Error, ErrorKind, Message, Result},
    wire::{
        deflate::{Inflater, Inflating},
        frame::{Head, OpCode},
        mask,
    },
};

/// What a compressed message may take on its way beyond twice what it may inflate to: blocks and
/// flushes of many small fragments.
const OVERHEAD_BYTES: usize = 64 * 1024;

impl Decoder {
    /// Parses the next header.
    #[inline]
    pub(in crate::wire) fn parse_head(&self, bytes: &[u8]) -> Result<Option<Head>> {
        Head::parse(bytes, self.origin, self.inflater.is_some())
    }

    /// Stops after every slice that was inflated, until [`must_yield`](Self::must_yield) was asked.
    pub(in crate::wire) fn inflate_in_slices(&mut self) {
        if let Some(inflater) = &mut self.inflater {
            inflater.inflate_in_slices();
        }
    }

    /// Whether others of the thread should have a turn before more is inflated.
    #[inline]
    pub(in crate::wire) fn must_yield(&mut self) -> bool {
        let inflater = self.inflater.as_mut();
        inflater.is_some_and(|inflater| inflater.must_yield())
    }

    /// Whether there is more to decode of what has been taken.
    #[inline]
    pub(in crate::wire) fn is_paused(&self) -> bool {
        self.message
            .as_ref()
            .is_some_and(|message| message.is_paused)
    }

    /// Refuses a message that takes more on its way than one of the largest size has a reason to:
    /// blocks without anything in them inflate to nothing, for ever.
    pub(super) fn check_deflated_bytes(&self, frame_bytes: u64) -> Result<()> {
        let inflating = self
            .message
            .as_ref()
            .and_then(|message| message.inflating.as_ref());
        let total = frame_bytes.saturating_add(inflating.map_or(0, Inflating::taken_bytes));
        let limit = self.max_message_bytes;
        let most = limit.saturating_mul(2).saturating_add(OVERHEAD_BYTES);
        if total <= most as u64 {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::TooLarge,
            "WHARF_MESSAGE_TOO_LARGE",
            format!(
                "a compressed message takes more bytes than one of {limit}, the limit, can need; \
                 send less or raise max_message_bytes"
            ),
        ))
    }

    /// What [`take_part`](Self::take_part) does where the message is compressed.
    pub(super) fn inflate_part(
        &mut self,
        buffer: &mut BytesMut,
    ) -> Result<ControlFlow<Option<Message>>> {
        let (Some(frame), Some(inflater)) = (&mut self.frame, &mut self.inflater) else {
            return Ok(ControlFlow::Break(None));
        };
        let message = self.message.get_or_insert_with(|| {
            let mut message = Assembly::new(frame.opcode == OpCode::Text);
            message.inflating = Some(inflater.begin());
            Box::new(message)
        });
        let part_bytes = buffer.len().min(frame.payload_bytes - frame.done_bytes);
        let part = &mut buffer[..part_bytes];
        mask::apply(part, frame.mask, frame.done_bytes);
        let done = message.inflate(part, inflater, self.max_message_bytes)?;
        frame.done_bytes += done.taken_bytes;
        message.is_paused = !done.is_through;
        if message.is_paused {
            // What is left waits as it came.
            mask::apply(&mut part[done.taken_bytes..], frame.mask, frame.done_bytes);
        }
        buffer.advance(done.taken_bytes);
        if message.is_paused || frame.done_bytes < frame.payload_bytes {
            return Ok(ControlFlow::Break(None));
        }
        let fin = frame.fin;
        self.frame = None;
        if !fin {
            message.complete_fragments += 1;
            return Ok(ControlFlow::Continue(()));
        }
        let Some(mut message) = self.message.take() else {
            return Ok(ControlFlow::Break(None));
        };
        if let Some(mut inflating) = message.inflating.take() {
            inflating.finish()?;
            inflater.end(inflating, &message.payload);
        }
        message
            .into_message()
            .map(|message| ControlFlow::Break(Some(message)))
    }
}

/// How far a piece was inflated.
struct Done {
    taken_bytes: usize,
    /// Whether all of it was, and all that it makes came out: else, others have a turn first.
    is_through: bool,
}

impl Assembly {
    /// Inflates a piece behind what is there, or a slice of it. What comes out is checked before it
    /// is held.
    fn inflate(&mut self, piece: &[u8], inflater: &mut Inflater, limit: usize) -> Result<Done> {
        Inflating::with_room(|room| {
            let mut input = piece;
            loop {
                let done = |is_through| Done {
                    taken_bytes: piece.len() - input.len(),
                    is_through,
                };
                let Some(inflating) = &mut self.inflating else {
                    return Ok(done(true));
                };
                if !inflater.has_turn() {
                    return Ok(done(false));
                }
                if inflating.is_ended() && !input.is_empty() {
                    inflater.begin_again(inflating, &self.payload);
                }
                let step = inflating.step(input, room)?;
                let has_ended = inflating.is_ended();
                let made = &room[..step.made_bytes];
                if made.len() > limit - self.payload.len() {
                    return Err(Error::new(
                        ErrorKind::TooLarge,
                        "WHARF_MESSAGE_TOO_LARGE",
                        format!(
                            "a message inflates to more than the limit of {limit} bytes; send \
                             less or raise max_message_bytes"
                        ),
                    ));
                }
                if self.is_text {
                    self.check_text(made)?;
                }
                self.payload.extend_from_slice(made);
                inflater.spend(&step);
                input = &input[step.taken_bytes..];
                let is_through = has_ended || step.made_bytes < room.len();
                if input.is_empty() && is_through {
                    return Ok(Done {
                        taken_bytes: piece.len(),
                        is_through: true,
                    });
                }
            }
        })
    }
}
