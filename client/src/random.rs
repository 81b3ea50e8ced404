//! Unpredictable bytes, from the system.

use std::cell::RefCell;

use base64::{Engine, engine::general_purpose::STANDARD};

/// Keys are fetched from the system by the page: a system call a frame would cost more than the
/// frame.
const PAGE_BYTES: usize = 1024;

struct Page {
    bytes: [u8; PAGE_BYTES],
    left: usize,
}

thread_local! {
    static PAGE: RefCell<Page> = const { RefCell::new(Page { bytes: [0; PAGE_BYTES], left: 0 }) };
}

/// The key of a frame, never used before.
pub(crate) fn mask_key() -> [u8; 4] {
    PAGE.with_borrow_mut(|page| {
        if page.left == 0 {
            fill(&mut page.bytes);
            page.left = PAGE_BYTES / 4;
        }
        page.left -= 1;
        let (keys, _) = page.bytes.as_chunks();
        keys[page.left]
    })
}

/// A `Sec-WebSocket-Key`.
pub(crate) fn handshake_key() -> String {
    let mut key = [0; 16];
    fill(&mut key);
    STANDARD.encode(key)
}

/// # Panics
///
/// If the system has no randomness to give: nothing that is secret can be done on it.
fn fill(bytes: &mut [u8]) {
    if let Err(error) = getrandom::fill(bytes) {
        panic!("the system gives no random bytes: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_do_not_repeat() {
        // Of 2^32, four pages' worth collide with a probability of one in ten thousand; twice, never.
        let keys: HashSet<_> = (0..PAGE_BYTES).map(|_| mask_key()).collect();
        assert!(keys.len() >= PAGE_BYTES - 2);
        assert_ne!(handshake_key(), handshake_key());
        assert_eq!(handshake_key().len(), 24);
    }
}
