//! Buffers that belong to a thread, not to a connection.
//!
//! A connection needs a buffer only while its task runs. Lending them out for that time means
//! that an idle connection holds none, and that a busy one allocates none.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};

/// The capacity of a lent buffer. One read fills at most this much, so a connection with 30
/// messages of 1 KiB in flight is served by one system call.
pub(super) const BUFFER_BYTES: usize = 32 * 1024;

/// More spare buffers than this per thread are freed: more are needed only while messages cut
/// from them are held by handlers.
const MAX_SPARE: usize = 8;

/// A large frame has a buffer of its own. One that has been written out again serves the next:
/// what is given back to the system comes back as pages that it has to clear first.
pub(super) const LARGE_BYTES: usize = 128 * 1024;

/// More of them than this are freed.
const MAX_LARGE_SPARE_BYTES: usize = 4 * 1024 * 1024;

thread_local! {
    static SPARE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
    static LARGE_SPARE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// Lends an empty buffer of [`BUFFER_BYTES`].
pub(super) fn lend() -> BytesMut {
    SPARE
        .with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| BytesMut::with_capacity(BUFFER_BYTES))
}

/// Lends an empty buffer of at least this size, and not much more, if there is one.
pub(super) fn lend_large(bytes: usize) -> Option<BytesMut> {
    LARGE_SPARE.with_borrow_mut(|spare| {
        let fits =
            |buffer: &BytesMut| (bytes..=bytes.saturating_mul(2)).contains(&buffer.capacity());
        let at = spare.iter().rposition(fits)?;
        Some(spare.remove(at))
    })
}

/// Takes back what a message was read into, if nobody else holds it.
pub(super) fn recycle(payload: Bytes) {
    if let Ok(buffer) = payload.try_into_mut() {
        give_back(buffer);
    }
}

/// Takes a buffer back; frees it if it is no longer a whole one (messages cut from it are still
/// alive, or it grew).
pub(super) fn give_back(mut buffer: BytesMut) {
    if !is_whole(&mut buffer) {
        return give_back_large(buffer);
    }
    // Connections may be dropped by a thread that is ending and has no spares any more.
    let _ = SPARE.try_with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < MAX_SPARE {
            spare.push(buffer);
        }
    });
}

fn give_back_large(mut buffer: BytesMut) {
    if !buffer.try_reclaim(LARGE_BYTES) {
        return;
    }
    let room = MAX_LARGE_SPARE_BYTES.checked_sub(buffer.capacity());
    let Some(room) = room else {
        return;
    };
    let _ = LARGE_SPARE.try_with(|spare| {
        let mut spare = spare.borrow_mut();
        let mut held: usize = spare.iter().map(BytesMut::capacity).sum();
        // The sizes that are asked for are those that came last.
        while held > room {
            held -= spare.remove(0).capacity();
        }
        spare.push(buffer);
    });
}

/// Whether an emptied buffer is one to be lent: nothing cut from it is still alive, and it has not
/// grown.
pub(super) fn is_whole(buffer: &mut BytesMut) -> bool {
    buffer.clear();
    buffer.try_reclaim(BUFFER_BYTES) && buffer.capacity() <= 2 * BUFFER_BYTES
}
