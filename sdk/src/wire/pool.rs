//! Buffers that belong to a thread, not to a connection.
//!
//! A connection needs a buffer only while its task runs. Lending them out for that time means
//! that an idle connection holds none, and that a busy one allocates none.

use std::cell::RefCell;

use bytes::BytesMut;

/// The capacity of a lent buffer. One read fills at most this much, so a connection with 30
/// messages of 1 KiB in flight is served by one system call.
pub(super) const BUFFER_BYTES: usize = 32 * 1024;

/// More spare buffers than this per thread are freed: more are needed only while messages cut
/// from them are held by handlers.
const MAX_SPARE: usize = 8;

thread_local! {
    static SPARE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// Lends an empty buffer of [`BUFFER_BYTES`].
pub(super) fn lend() -> BytesMut {
    SPARE
        .with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| BytesMut::with_capacity(BUFFER_BYTES))
}

/// Takes a buffer back; frees it if it is no longer a whole one (messages cut from it are still
/// alive, or it grew).
pub(super) fn give_back(mut buffer: BytesMut) {
    if !is_whole(&mut buffer) {
        return;
    }
    // Connections may be dropped by a thread that is ending and has no spares any more.
    let _ = SPARE.try_with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < MAX_SPARE {
            spare.push(buffer);
        }
    });
}

/// Whether an emptied buffer is one to be lent: nothing cut from it is still alive, and it has not
/// grown.
pub(super) fn is_whole(buffer: &mut BytesMut) -> bool {
    buffer.clear();
    buffer.try_reclaim(BUFFER_BYTES) && buffer.capacity() <= 2 * BUFFER_BYTES
}
