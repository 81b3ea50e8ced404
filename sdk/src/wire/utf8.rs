//! UTF-8 checked while it arrives, so that a bad byte fails the connection before the rest of its
//! message is waited for.

/// Checks text that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Utf8Stream {
    /// The start of a character that the last piece cut.
    tail: [u8; 4],
    tail_bytes: usize,
}

impl Utf8Stream {
    /// Takes the next piece; `false` as soon as the text cannot become valid any more.
    #[must_use]
    pub(super) fn feed(&mut self, mut piece: &[u8]) -> bool {
        while self.tail_bytes > 0 {
            let Some((&byte, rest)) = piece.split_first() else {
                return true;
            };
            piece = rest;
            self.tail[self.tail_bytes] = byte;
            self.tail_bytes += 1;
            match std::str::from_utf8(&self.tail[..self.tail_bytes]) {
                Ok(_) => self.tail_bytes = 0,
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        match std::str::from_utf8(piece) {
            Ok(_) => true,
            Err(error) if error.error_len().is_some() => false,
            Err(error) => {
                let cut = &piece[error.valid_up_to()..];
                self.tail[..cut.len()].copy_from_slice(cut);
                self.tail_bytes = cut.len();
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], step: usize) -> bool {
        let mut stream = Utf8Stream::default();
        bytes.chunks(step).all(|piece| stream.feed(piece)) && stream.tail_bytes == 0
    }

    #[test]
    fn any_cut_gives_the_verdict_of_the_whole() {
        let samples: [&[u8]; 8] = [
            "κόσμε 🦀 plain".as_bytes(),
            b"",
            b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
            b"\xf4\x90\x80\x80",
            b"\xc0\xaf",
            b"ab\xff",
            b"\xf0\x9f\xa6",
            b"\xe2\x82",
        ];
        for sample in samples {
            for step in 1..=sample.len().max(1) {
                let whole = std::str::from_utf8(sample).is_ok();
                assert_eq!(check(sample, step), whole, "{sample:?} by {step}");
            }
        }
    }

    #[test]
    fn a_bad_byte_fails_at_once() {
        let mut stream = Utf8Stream::default();
        assert!(stream.feed(b"\xf4"));
        assert!(!stream.feed(b"\x90"), "no character starts with F4 90");
    }
}
