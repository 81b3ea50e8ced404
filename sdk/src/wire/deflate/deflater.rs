//! Out: messages, compressed where it is worth it.

use std::{
    ops::ControlFlow,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use zlib_rs::DeflateFlush;

use super::{
    Framed, Large,
    lent::{SLICE_BYTES, Settings, with_deflater},
    window::Window,
};
use crate::{
    message::{Encoding, Progress, SharedMessage},
    policy::DeflateParams,
    wire::frame::OpCode,
};

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
    large: Option<Box<UnderWay>>,
}

/// A message that is compressed slice by slice. Between slices it holds no compressor: each one
/// begins with the window that the message itself is.
enum UnderWay {
    /// For this socket alone.
    Own {
        opcode: OpCode,
        payload: Bytes,
        progress: Progress,
    },
    /// For all sockets that send it and agreed on the same.
    Shared {
        opcode: OpCode,
        payload: Bytes,
        message: SharedMessage,
        encoding: Arc<Encoding>,
    },
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
        self.large = Some(Box::new(UnderWay::Own {
            opcode,
            payload,
            progress: Progress::default(),
        }));
    }

    /// The same, with the work shared by all that send it.
    pub(crate) fn begin_shared(
        &mut self,
        opcode: OpCode,
        payload: Bytes,
        message: SharedMessage,
        encoding: Arc<Encoding>,
    ) {
        self.large = Some(Box::new(UnderWay::Shared {
            opcode,
            payload,
            message,
            encoding,
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

    /// Compresses a message that is not large for everyone whose key is the same.
    pub(crate) fn deflate_shared(&mut self, payload: &Bytes) -> Framed {
        self.spend(payload.len());
        match deflate_slice(self.settings, &[], payload, Progress::default()) {
            ControlFlow::Break(framed) => framed,
            // It is one slice.
            ControlFlow::Continue(_) => Framed::plain(payload.clone()),
        }
    }

    /// The bytes of a large message that is under way.
    pub(crate) fn held_bytes(&self) -> usize {
        self.large.as_deref().map_or(0, |large| match large {
            UnderWay::Own { payload, .. } | UnderWay::Shared { payload, .. } => payload.len(),
        })
    }

    /// Whether others of the thread should have a turn first. The next one is this session's.
    pub(crate) fn must_yield(&mut self) -> bool {
        let is_spent = self.spent_bytes as usize >= SLICE_BYTES;
        if is_spent {
            self.spent_bytes = 0;
        }
        is_spent
    }

    /// Compresses the next slice of a large message; returns it when it is ready. `frame` frames
    /// one that is shared. Pending while another thread is at a slice of that.
    pub(crate) fn go_on(
        &mut self,
        cx: &Context<'_>,
        frame: impl FnOnce(&SharedMessage, OpCode, &Framed) -> Bytes,
    ) -> Poll<Option<Large>> {
        let settings = self.settings;
        match self.large.as_deref_mut() {
            None => Poll::Ready(None),
            Some(UnderWay::Own {
                opcode,
                payload,
                progress,
            }) => {
                let opcode = *opcode;
                let begun_with = self.window.as_deref().map_or(&[][..], Window::bytes);
                let slice_bytes = slice_at(payload, progress).len();
                let made = deflate_slice(settings, begun_with, payload, std::mem::take(progress));
                let framed = match made {
                    ControlFlow::Continue(further) => {
                        *progress = further;
                        None
                    }
                    ControlFlow::Break(framed) => {
                        if let (true, Some(window)) = (framed.is_deflated, &mut self.window) {
                            window.push(payload);
                        }
                        self.large = None;
                        Some(Large::Own(opcode, framed))
                    }
                };
                self.spend(slice_bytes);
                Poll::Ready(framed)
            }
            Some(UnderWay::Shared {
                opcode,
                payload,
                message,
                encoding,
            }) => {
                let mut slice_bytes = 0;
                let polled = encoding.poll_made(cx, |progress| {
                    slice_bytes = slice_at(payload, &progress).len();
                    deflate_slice(settings, &[], payload, progress)
                        .map_break(|framed| frame(message, *opcode, &framed))
                });
                let made = ready!(polled);
                if made.is_some() {
                    self.large = None;
                }
                self.spend(slice_bytes);
                Poll::Ready(made.map(Large::Shared))
            }
        }
    }

    fn spend(&mut self, bytes: usize) {
        // At most a slice.
        self.spent_bytes += bytes as u32;
    }
}

impl std::fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, payload) = match self {
            Self::Own { payload, .. } => ("Own", payload),
            Self::Shared { payload, .. } => ("Shared", payload),
        };
        f.debug_tuple(name).field(&payload.len()).finish()
    }
}

fn slice_at<'a>(payload: &'a [u8], progress: &Progress) -> &'a [u8] {
    let rest = &payload[progress.done_bytes..];
    &rest[..rest.len().min(SLICE_BYTES)]
}

/// Compresses the next slice of a message that begins behind this window; breaks with the message
/// when it is ready to be framed.
fn deflate_slice(
    settings: Settings,
    begun_with: &[u8],
    payload: &Bytes,
    mut progress: Progress,
) -> ControlFlow<Framed, Progress> {
    let slice = slice_at(payload, &progress);
    let window = match progress.done_bytes {
        0 => begun_with,
        done_bytes => {
            let start = done_bytes.saturating_sub(1 << settings.window_bits);
            &payload[start..done_bytes]
        }
    };
    let is_deflated = deflate(settings, window, slice, usize::MAX, |deflated| {
        progress.made.extend_from_slice(deflated?);
        Some(())
    });
    progress.done_bytes += slice.len();
    let is_done = progress.done_bytes == payload.len();
    if is_done {
        let end = progress.made.len().saturating_sub(FLUSH_END.len());
        progress.made.truncate(end);
    }
    let is_smaller = is_deflated.is_some() && progress.made.len() < payload.len();
    match (is_smaller, is_done) {
        (false, _) => ControlFlow::Break(Framed::plain(payload.clone())),
        (true, true) => ControlFlow::Break(Framed::deflated(progress.made.into())),
        (true, false) => ControlFlow::Continue(progress),
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
