//! Masking ([RFC 6455 §5.3](https://www.rfc-editor.org/rfc/rfc6455#section-5.3)).

const BLOCK_BYTES: usize = 32;

/// XORs `payload` with `mask`, whose first byte belongs to position `offset` of the frame.
#[inline]
pub(super) fn apply(payload: &mut [u8], mask: [u8; 4], offset: usize) {
    let key = u32::from_le_bytes(mask).rotate_right(8 * (offset % 4) as u32);
    let word = u64::from(key) << 32 | u64::from(key);
    let wide = u128::from(word) << 64 | u128::from(word);

    // A block of known size becomes a few vector operations.
    let (blocks, rest) = payload.as_chunks_mut::<BLOCK_BYTES>();
    for block in blocks {
        for half in block.as_chunks_mut().0 {
            *half = (u128::from_le_bytes(*half) ^ wide).to_le_bytes();
        }
    }
    let (words, rest) = rest.as_chunks_mut();
    for bytes in words {
        *bytes = (u64::from_le_bytes(*bytes) ^ word).to_le_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(word.to_le_bytes()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offset_and_length_agrees_with_the_definition() {
        let mask = [0x12, 0x34, 0x56, 0x78];
        for len in 0..80 {
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
