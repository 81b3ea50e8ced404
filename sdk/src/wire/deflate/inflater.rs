//! In: compressed messages, piece by piece.

use zlib_rs::{Inflate, InflateFlush, Status};

use super::{
    Step,
    lent::{give_back_inflater, lend_inflater, with_scratch},
    window::Window,
};
use crate::{
    message::{Error, ErrorKind, Result},
    policy::DeflateParams,
};

/// What a message leaves out of its end, and a last block behind it: a message that ends where a
/// block ends comes to an end with it, and one that was cut off does not.
const END: [u8; 9] = [0, 0, 0xFF, 0xFF, 1, 0, 0, 0xFF, 0xFF];

/// How much is taken and made before other sessions of the thread have a turn: half a millisecond.
const SLICE_BYTES: u32 = 256 * 1024;

/// One socket's inbound side.
#[derive(Debug)]
pub(crate) struct Inflater {
    window_bits: u8,
    window: Option<Box<Window>>,
    /// How much of this turn's slice is left; without end where nobody asked for slices.
    left_bytes: u32,
    slice_bytes: u32,
}

impl Inflater {
    pub(crate) fn agreed(params: &DeflateParams) -> Option<Box<Self>> {
        let peers = params.peers;
        Some(Box::new(Self {
            window_bits: peers.window_bits,
            window: peers
                .takeover
                .then(|| Box::new(Window::new(peers.window_bits))),
            left_bytes: u32::MAX,
            slice_bytes: u32::MAX,
        }))
    }

    /// Stops after every slice, until [`must_yield`](Self::must_yield) was asked.
    pub(crate) fn inflate_in_slices(&mut self) {
        self.left_bytes = SLICE_BYTES;
        self.slice_bytes = SLICE_BYTES;
    }

    /// Whether there is something left of the slice.
    pub(crate) fn has_turn(&self) -> bool {
        self.left_bytes > 0
    }

    /// Whether others of the thread should have a turn first. The next one is this session's.
    pub(crate) fn must_yield(&mut self) -> bool {
        let is_spent = self.left_bytes == 0;
        if is_spent {
            self.left_bytes = self.slice_bytes;
        }
        is_spent
    }

    /// Takes a step off the slice.
    pub(crate) fn spend(&mut self, step: &Step) {
        if self.slice_bytes < u32::MAX {
            // A step is at most a buffer in and a scratch out.
            let spent = (step.taken_bytes + step.made_bytes) as u32;
            self.left_bytes = self.left_bytes.saturating_sub(spent);
        }
    }

    /// Begins a message.
    pub(crate) fn begin(&self) -> Inflating {
        let mut inflating = Inflating {
            inflate: lend_inflater(),
            taken_bytes: 0,
            is_ended: false,
        };
        if let Some(window) = &self.window {
            inflating.remember(window.bytes());
        }
        inflating
    }

    /// Begins a new stream inside a message: a sender may mark a block as the last of its stream
    /// and go on behind it. What it may refer to stays.
    pub(crate) fn begin_again(&self, inflating: &mut Inflating, said: &[u8]) {
        inflating.inflate.reset(false);
        inflating.is_ended = false;
        let mut window = Window::new(self.window_bits);
        if let Some(before) = &self.window {
            window.push(before.bytes());
        }
        window.push(said);
        inflating.remember(window.bytes());
    }

    /// Ends a message that was inflated whole.
    pub(crate) fn end(&mut self, inflating: Inflating, payload: &[u8]) {
        give_back_inflater(inflating.inflate);
        if let Some(window) = &mut self.window {
            window.push(payload);
        }
    }
}

/// A message that is being inflated.
pub(crate) struct Inflating {
    inflate: Box<Inflate>,
    taken_bytes: u64,
    /// The sender marked a block as its last.
    is_ended: bool,
}

impl Inflating {
    /// Lends room for the output of [`step`](Self::step).
    pub(crate) fn with_room<R>(run: impl FnOnce(&mut [u8]) -> R) -> R {
        with_scratch(run)
    }

    /// Inflates some of `input` into `room`. There is nothing more to do once all is taken and the
    /// room is not full.
    pub(crate) fn step(&mut self, input: &[u8], room: &mut [u8]) -> Result<Step> {
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(input, room, InflateFlush::SyncFlush)
            .map_err(|_| damaged())?;
        self.is_ended = status == Status::StreamEnd;
        let step = Step {
            taken_bytes: (self.inflate.total_in() - before_in) as usize,
            made_bytes: (self.inflate.total_out() - before_out) as usize,
        };
        if step.taken_bytes == 0 && step.made_bytes == 0 && !input.is_empty() && !self.is_ended {
            return Err(damaged());
        }
        self.taken_bytes += step.taken_bytes as u64;
        Ok(step)
    }

    /// Whether the sender marked a block as its last: what follows is a new stream.
    pub(crate) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// How much of the message has been inflated, as it came.
    pub(crate) fn taken_bytes(&self) -> u64 {
        self.taken_bytes
    }

    /// Checks that the message ends here.
    pub(crate) fn finish(&mut self) -> Result<()> {
        // Nothing at all is how some say that a message is empty.
        if self.is_ended || self.taken_bytes == 0 {
            return Ok(());
        }
        let mut room = [0; 1];
        let step = self.step(&END, &mut room)?;
        match self.is_ended && step.taken_bytes == END.len() && step.made_bytes == 0 {
            true => Ok(()),
            false => Err(damaged()),
        }
    }

    fn remember(&mut self, said: &[u8]) {
        // Without a header, every inflater takes it.
        let _ = self.inflate.set_dictionary(said);
    }
}

impl std::fmt::Debug for Inflating {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflating")
            .field("taken_bytes", &self.taken_bytes)
            .finish_non_exhaustive()
    }
}

/// Close code 1007, "data within a message that was not consistent with the type of the message":
/// the frames were right, what is in them is not.
fn damaged() -> Error {
    Error::new(
        ErrorKind::InvalidData,
        "WHARF_INVALID_DEFLATE",
        "a compressed message does not inflate; send what a deflate compressor made, flushed",
    )
}
