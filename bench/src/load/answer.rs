//! What a server sends, as far as the generator has to understand it: where frames begin and end.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::frame::Frame;
use super::wire::Wire;

/// Longest wait for one message there and back.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// The bit of a frame's first byte that says that it is compressed (RFC 7692, section 6).
const RSV1: u8 = 0x40;

/// One frame of a server.
#[derive(Debug)]
pub struct Answer {
    /// The whole frame, header included.
    pub wire: Vec<u8>,
    header_bytes: usize,
}

impl Answer {
    /// What the frame carries, still compressed where it is.
    pub fn payload(&self) -> &[u8] {
        &self.wire[self.header_bytes..]
    }

    /// Whether it is compressed.
    pub fn is_compressed(&self) -> bool {
        self.wire[0] & RSV1 != 0
    }
}

/// Sends one message and checks that it comes back, or its answer, bit by bit, within ten seconds.
///
/// # Errors
///
/// Something else comes back, or nothing.
pub async fn expect_answer(wire: &mut Wire, frame: &Frame) -> io::Result<()> {
    // A large message needs its echo read while it is still being written.
    let (mut reader, mut writer) = tokio::io::split(wire);
    let mut received = vec![0; frame.answer().len()];
    let exchange = async {
        let write = async {
            writer
                .write_all(frame.next_bytes(0, frame.sent_bytes()))
                .await?;
            writer.flush().await
        };
        tokio::try_join!(write, reader.read_exact(&mut received))
    };
    timeout(ANSWER_DEADLINE, exchange)
        .await
        .map_err(|_| late())??;
    frame.check_answer(&received)
}

/// Reads one whole frame, within ten seconds.
///
/// # Errors
///
/// None comes.
pub async fn read_frame(wire: &mut Wire) -> io::Result<Answer> {
    let reading = async {
        let mut bytes = vec![0; 2];
        wire.read_exact(&mut bytes).await?;
        let header_bytes = header_bytes(bytes[1]);
        bytes.resize(header_bytes, 0);
        wire.read_exact(&mut bytes[2..]).await?;
        let payload_bytes = payload_bytes(&bytes);
        bytes.resize(header_bytes + payload_bytes, 0);
        wire.read_exact(&mut bytes[header_bytes..]).await?;
        Ok(Answer {
            wire: bytes,
            header_bytes,
        })
    };
    timeout(ANSWER_DEADLINE, reading)
        .await
        .map_err(|_| late())?
}

/// Counts frames in a stream of bytes, wherever it is cut.
#[derive(Debug, Default)]
pub struct FrameCounter {
    /// Of a header that is not complete.
    header: Vec<u8>,
    /// Of a frame's payload that is still to come.
    missing_bytes: usize,
}

impl FrameCounter {
    /// Takes the next bytes; returns how many frames end in them.
    pub fn count(&mut self, mut bytes: &[u8]) -> usize {
        let mut frames = 0;
        while !bytes.is_empty() {
            if self.missing_bytes > 0 {
                let taken = self.missing_bytes.min(bytes.len());
                bytes = &bytes[taken..];
                self.missing_bytes -= taken;
                frames += usize::from(self.missing_bytes == 0);
                continue;
            }
            self.header.push(bytes[0]);
            bytes = &bytes[1..];
            if self.header.len() >= 2 && self.header.len() == header_bytes(self.header[1]) {
                self.missing_bytes = payload_bytes(&self.header);
                frames += usize::from(self.missing_bytes == 0);
                self.header.clear();
            }
        }
        frames
    }
}

/// Length of an unmasked header, by its second byte (RFC 6455, section 5.2).
fn header_bytes(second: u8) -> usize {
    match second {
        126 => 4,
        127 => 10,
        _ => 2,
    }
}

fn payload_bytes(header: &[u8]) -> usize {
    let extended = &header[2..];
    match extended.len() {
        0 => usize::from(header[1]),
        _ => extended
            .iter()
            .fold(0, |length, &byte| length << 8 | usize::from(byte)),
    }
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in ten seconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_wherever_the_stream_is_cut() {
        let mut stream = vec![0x81, 0];
        stream.extend([0x81, 3, b'a', b'b', b'c']);
        stream.extend([0xC1, 126, 1, 0]);
        stream.extend([0; 256]);
        stream.extend([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        stream.extend(vec![0; 65_536]);
        for piece in [1, 2, 3, 7, 1000, stream.len()] {
            let mut counter = FrameCounter::default();
            let frames: usize = stream.chunks(piece).map(|bytes| counter.count(bytes)).sum();
            assert_eq!(frames, 4, "pieces of {piece}");
            assert_eq!(counter.missing_bytes + counter.header.len(), 0);
        }
    }
}
