//! Out: messages, compressed where it is worth it.

use bytes::Bytes;
use zlib_rs::DeflateFlush;

use super::{
    Framed,
    lent::{SLICE_BYTES, Settings, with_deflater},
    window::Window,
};
use crate::{policy::DeflateParams, wire::frame::OpCode};

/// What a flush ends with and a message leaves out.
const FLUSH_END: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// One socket's outbound side.
#[derive(Debug)]
pub(crate) struct Deflater {
    threshold_bytes: usize,
    settings: Settings,
    /// How much was compressed since this session last let others have a turn.
    spent_bytes: u32,
    window: Option<Box<Window>>,
    large: Option<Box<Large>>,
}

/// A message that is compressed slice by slice. Between slices it holds no compressor: each one
/// begins with the window that the message itself is.
#[derive(Debug)]
struct Large {
    opcode: OpCode,
    payload: Bytes,
    done_bytes: usize,
    deflated: Vec<u8>,
}

impl Deflater {
    pub(crate) fn agreed(params: &DeflateParams) -> Option<Box<Self>> {
        let ours = params.ours;
        Some(Box::new(Self {
            threshold_bytes: params.threshold_bytes,
            settings: Settings {
                level: params.level,
                memory_level: params.memory_level,
                window_bits: ours.window_bits,
            },
            spent_bytes: 0,
            window: ours
                .takeover
                .then(|| Box::new(Window::new(ours.window_bits))),
            large: None,
        }))
    }

    /// Whether a message of this size is worth the try.
    pub(crate) fn wants(&self, payload_bytes: usize) -> bool {
        payload_bytes >= self.threshold_bytes && payload_bytes > 0
    }

    /// Whether a message of this size is compressed slice by slice.
    pub(crate) fn is_large(&self, payload_bytes: usize) -> bool {
        payload_bytes > SLICE_BYTES
    }

    /// Takes a large message, to [`go_on`](Self::go_on) with.
    pub(crate) fn begin(&mut self, opcode: OpCode, payload: Bytes) {
        self.large = Some(Box::new(Large {
            opcode,
            payload,
            done_bytes: 0,
            deflated: Vec::new(),
        }));
    }

    /// Compresses a message that is not large. `run` gets it, or nothing if it would not be
    /// smaller.
    pub(crate) fn deflate<R>(&mut self, payload: &[u8], run: impl FnOnce(Option<&[u8]>) -> R) -> R {
        self.spend(payload.len());
        let window = self.window.as_deref().map_or(&[][..], Window::bytes);
        let most = payload.len() + FLUSH_END.len();
        let mut is_deflated = false;
        let result = deflate(self.settings, window, payload, most, |deflated| {
            let deflated = deflated.and_then(|deflated| deflated.strip_suffix(&FLUSH_END));
            is_deflated = deflated.is_some();
            run(deflated)
        });
        if let (true, Some(window)) = (is_deflated, &mut self.window) {
            window.push(payload);
        }
        result
    }

    /// What tells this side's encoding of a message from others', where it does not depend on what
    /// was said before.
    pub(crate) fn sharing_key(&self) -> Option<u32> {
        let Settings {
            level,
            memory_level,
            window_bits,
        } = self.settings;
        let key = u32::from_be_bytes([0, level, memory_level, window_bits]);
        self.window.is_none().then_some(key)
    }

    /// Compresses a message for everyone whose key is the same, whole: once for all of them is
    /// less than a slice for each.
    pub(crate) fn deflate_shared(&self, opcode: OpCode, payload: &Bytes) -> Framed {
        let mut alone = Self {
            window: None,
            large: None,
            ..*self
        };
        alone.begin(opcode, payload.clone());
        let framed = std::iter::repeat_with(|| alone.go_on()).flatten().next();
        framed.map_or_else(|| Framed::plain(payload.clone()), |(_, framed)| framed)
    }

    /// The bytes of a large message that is under way.
    pub(crate) fn held_bytes(&self) -> usize {
        self.large.as_ref().map_or(0, |large| large.payload.len())
    }

    /// Whether others of the thread should have a turn first. The next one is this session's.
    pub(crate) fn must_yield(&mut self) -> bool {
        let is_spent = self.spent_bytes as usize >= SLICE_BYTES;
        if is_spent {
            self.spent_bytes = 0;
        }
        is_spent
    }

    /// Compresses the next slice of a large message; returns it when it is ready to be framed.
    pub(crate) fn go_on(&mut self) -> Option<(OpCode, Framed)> {
        let large = self.large.as_mut()?;
        let (before, rest) = large.payload.split_at(large.done_bytes);
        let slice = &rest[..rest.len().min(SLICE_BYTES)];
        let window = match before.len() {
            0 => self.window.as_deref().map_or(&[][..], Window::bytes),
            bytes => &before[bytes.saturating_sub(1 << self.settings.window_bits)..],
        };
        let is_deflated = deflate(self.settings, window, slice, usize::MAX, |deflated| {
            large.deflated.extend_from_slice(deflated?);
            Some(())
        });
        large.done_bytes += slice.len();
        let is_done = large.done_bytes == large.payload.len();
        if is_done {
            let end = large.deflated.len().saturating_sub(FLUSH_END.len());
            large.deflated.truncate(end);
        }
        let is_smaller = is_deflated.is_some() && large.deflated.len() < large.payload.len();
        let slice_bytes = slice.len();
        self.spend(slice_bytes);
        if !is_done && is_smaller {
            return None;
        }
        let large = self.large.take()?;
        if let (true, Some(window)) = (is_smaller, &mut self.window) {
            window.push(&large.payload);
        }
        let framed = match is_smaller {
            true => Framed::deflated(large.deflated.into()),
            false => Framed::plain(large.payload),
        };
        Some((large.opcode, framed))
    }

    fn spend(&mut self, bytes: usize) {
        // At most a slice.
        self.spent_bytes += bytes as u32;
    }
}

/// Compresses up to a slice, flushed, behind a window; nothing if it takes more than `most`.
fn deflate<R>(
    settings: Settings,
    window: &[u8],
    payload: &[u8],
    most: usize,
    run: impl FnOnce(Option<&[u8]>) -> R,
) -> R {
    with_deflater(settings, |deflate, room| {
        let is_set = window.is_empty() || deflate.set_dictionary(window).is_ok();
        let flush = DeflateFlush::SyncFlush;
        let is_whole = is_set
            && deflate.compress(payload, room, flush).is_ok()
            && deflate.total_in() == payload.len() as u64
            // The library stops at a full room, with more to say or not.
            && deflate.total_out() < room.len() as u64;
        let made_bytes = deflate.total_out() as usize;
        let made = (is_whole && made_bytes < most).then(|| &room[..made_bytes]);
        (is_whole, run(made))
    })
}
