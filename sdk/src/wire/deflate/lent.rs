//! Compressors and inflaters that belong to a thread, not to a socket.
//!
//! A compressor is 150 to 370 KiB, an inflater 40. One of each serves all sockets of a thread: a
//! compressor is lent for a call, an inflater until its message is complete.

use std::cell::RefCell;

use zlib_rs::{Deflate, DeflateConfig, Inflate};

/// How much is compressed before other sessions of the thread have a turn: half a millisecond at
/// level 6. At least the largest window, so that a slice needs none but the one before it.
pub(super) const SLICE_BYTES: usize = 64 * 1024;

/// Each set of parameters has its own; this many are kept.
const MAX_DEFLATERS: usize = 4;

/// More are in use only while messages arrive in pieces.
const MAX_INFLATERS: usize = 4;

/// What one call makes at most: a slice that does not compress takes nine bits a byte at level 1.
const SCRATCH_BYTES: usize = SLICE_BYTES + SLICE_BYTES / 8 + 1024;

thread_local! {
    static SPARE: RefCell<Spare> = const { RefCell::new(Spare::new()) };
}

struct Spare {
    deflaters: Vec<(Settings, Deflate)>,
    #[allow(clippy::vec_box, reason = "they move in and out of messages")]
    inflaters: Vec<Box<Inflate>>,
    scratch: Vec<u8>,
}

impl Spare {
    const fn new() -> Self {
        Self {
            deflaters: Vec::new(),
            inflaters: Vec::new(),
            scratch: Vec::new(),
        }
    }
}

/// What a compressor is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) level: u8,
    pub(super) memory_level: u8,
    pub(super) window_bits: u8,
}

impl Settings {
    fn make(self) -> Deflate {
        Deflate::new_with_config(DeflateConfig {
            level: i32::from(self.level),
            // Negative means without a header. The smallest window of the library is 9 bits; of
            // its 512 bytes it uses the last 250, which the peer's 256 hold too.
            window_bits: -i32::from(self.window_bits.max(9)),
            mem_level: i32::from(self.memory_level),
            ..DeflateConfig::default()
        })
    }
}

/// Whether a compressor has written all that it had to.
pub(super) type IsWhole = bool;

/// Lends a compressor that has seen nothing, and where to write. `run` makes something of a window
/// and a payload, and has the room that this takes: what it leaves unwritten is lost.
pub(super) fn with_deflater<R>(
    settings: Settings,
    run: impl FnOnce(&mut Deflate, &mut [u8]) -> (IsWhole, R),
) -> R {
    let found = SPARE.with_borrow_mut(|spare| {
        let found = spare.deflaters.iter().position(|(of, _)| *of == settings)?;
        Some(spare.deflaters.swap_remove(found).1)
    });
    let mut deflate = match found {
        Some(mut deflate) => {
            deflate.reset();
            deflate
        }
        None => settings.make(),
    };
    let (is_whole, result) = with_scratch(|scratch| run(&mut deflate, scratch));
    if !is_whole {
        // The reset of zlib-rs 0.6 does not forget output that found no room, and panics later.
        return result;
    }
    SPARE.with_borrow_mut(|spare| {
        if spare.deflaters.len() >= MAX_DEFLATERS {
            spare.deflaters.remove(0);
        }
        spare.deflaters.push((settings, deflate));
    });
    result
}

/// Lends an inflater that has seen nothing.
pub(super) fn lend_inflater() -> Box<Inflate> {
    match SPARE.with_borrow_mut(|spare| spare.inflaters.pop()) {
        Some(mut inflate) => {
            inflate.reset(false);
            inflate
        }
        None => Box::new(Inflate::new(false, 15)),
    }
}

pub(super) fn give_back_inflater(inflate: Box<Inflate>) {
    SPARE.with_borrow_mut(|spare| {
        if spare.inflaters.len() < MAX_INFLATERS {
            spare.inflaters.push(inflate);
        }
    });
}

/// Lends room to write to. What is in it means nothing.
pub(super) fn with_scratch<R>(run: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut scratch = SPARE.with_borrow_mut(|spare| std::mem::take(&mut spare.scratch));
    scratch.resize(SCRATCH_BYTES, 0);
    let result = run(&mut scratch);
    SPARE.with_borrow_mut(|spare| spare.scratch = scratch);
    result
}
