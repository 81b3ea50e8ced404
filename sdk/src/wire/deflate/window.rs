//! What carries over from message to message.

/// The last of what one side has sent compressed, as it was before: its next message may refer to
/// it.
#[derive(Debug)]
pub(super) struct Window {
    bytes: Vec<u8>,
    max_bytes: usize,
}

impl Window {
    pub(super) fn new(bits: u8) -> Self {
        Self {
            bytes: Vec::new(),
            max_bytes: 1 << bits,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn push(&mut self, said: &[u8]) {
        let said = &said[said.len().saturating_sub(self.max_bytes)..];
        let kept_bytes = self.bytes.len().min(self.max_bytes - said.len());
        self.bytes.drain(..self.bytes.len() - kept_bytes);
        let wanted_bytes = kept_bytes + said.len();
        if self.bytes.capacity() < wanted_bytes {
            // Never more than the window, however it grows.
            let capacity = wanted_bytes.next_power_of_two().min(self.max_bytes);
            self.bytes.reserve_exact(capacity - kept_bytes);
        }
        self.bytes.extend_from_slice(said);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_last_bytes_and_no_room_beyond_them() {
        let mut window = Window::new(8);
        let mut said = Vec::new();
        for piece in [100, 0, 100, 57, 1, 256, 300, 5] {
            let piece: Vec<u8> = (0..piece).map(|at| (at % 251) as u8).collect();
            window.push(&piece);
            said.extend_from_slice(&piece);
            assert_eq!(window.bytes(), &said[said.len().saturating_sub(256)..]);
            assert!(window.bytes.capacity() <= 256);
        }
    }
}
