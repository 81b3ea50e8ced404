//! Masking ([RFC 6455 §5.3](https://www.rfc-editor.org/rfc/rfc6455#section-5.3)).

/// XORs `payload` with `mask`, whose first byte belongs to position `offset` of the frame.
pub(super) fn apply(payload: &mut [u8], mask: [u8; 4], offset: usize) {
    let mut key = mask;
    key.rotate_left(offset % 4);
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);

    // Eight bytes a step, which the compiler widens to vector registers.
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        chunk.copy_from_slice(&(u64::from_ne_bytes(word) ^ wide).to_ne_bytes());
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offset_and_length_agrees_with_the_definition() {
        let mask = [0x12, 0x34, 0x56, 0x78];
        for len in 0..40 {
            for offset in 0..8 {
                let plain: Vec<u8> = (0..len).collect();
                let mut masked = plain.clone();
                apply(&mut masked, mask, offset);
                for (at, (byte, plain)) in masked.iter().zip(&plain).enumerate() {
                    assert_eq!(*byte, plain ^ mask[(at + offset) % 4]);
                }
            }
        }
    }
}
