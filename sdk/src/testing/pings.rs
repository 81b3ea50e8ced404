//! Pings among the bytes that arrive.

use crate::wire::{Head, OpCode, Origin};

/// Goes through the frames of a server as they arrive, in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Pings {
    /// A header, or a whole control frame, as far as it has come.
    begun: Vec<u8>,
    /// What is left of a data frame.
    skipped_bytes: u64,
}

impl Pings {
    /// Hands the payloads of pings that end in these bytes to `found`.
    pub(super) fn find(&mut self, mut bytes: &[u8], mut found: impl FnMut(&[u8])) {
        while let Some((next, behind)) = bytes.split_first() {
            if self.skipped_bytes > 0 {
                let skipped = usize::try_from(self.skipped_bytes).unwrap_or(usize::MAX);
                let skipped = skipped.min(bytes.len());
                self.skipped_bytes -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.begun.push(*next);
            bytes = behind;
            self.look(&mut found);
        }
    }

    fn look(&mut self, found: &mut impl FnMut(&[u8])) {
        let head = match Head::parse(&self.begun, Origin::Server, true) {
            Ok(Some(head)) => head,
            Ok(None) => return,
            Err(_violation) => {
                // Whoever reads is told; what is behind it are no frames.
                self.skipped_bytes = u64::MAX;
                return;
            }
        };
        if head.opcode.is_control() {
            let payload = &self.begun[usize::from(head.head_bytes)..];
            if (payload.len() as u64) < head.payload_bytes {
                return;
            }
            if head.opcode == OpCode::Ping {
                found(payload);
            }
        } else {
            self.skipped_bytes = head.payload_bytes;
        }
        self.begun.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_are_found_among_frames_in_pieces() {
        let mut bytes = vec![0x81, 2, b'h', b'i', 0x89, 0, 0x82, 126, 1, 0];
        bytes.extend([0x89; 256]);
        bytes.extend([0x89, 3, b'y', b'o', b'u', 0x8A, 1, 0x89, 0x82, 127]);
        bytes.extend(70_000_u64.to_be_bytes());
        bytes.extend([0x89; 70_000]);
        bytes.extend([0x89, 1, b'!']);
        for piece in [1, 3, 7, 1000, bytes.len()] {
            let mut pings = Pings::default();
            let mut came = Vec::new();
            for piece in bytes.chunks(piece) {
                pings.find(piece, |payload| came.push(payload.to_vec()));
            }
            assert_eq!(came, [b"".to_vec(), b"you".to_vec(), b"!".to_vec()]);
        }
    }
}
