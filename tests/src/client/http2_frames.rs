//! HTTP/2 by hand, to send what no library sends.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::PATIENCE;
use crate::host::Stream;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a server may take nothing until it is said to hold its peer back.
const STUCK: Duration = Duration::from_secs(1);

/// Types of frames, flags and settings, by their numbers in
/// [RFC 9113](https://www.rfc-editor.org/rfc/rfc9113#section-6).
pub mod http2_frame {
    #![allow(missing_docs, reason = "the RFC's names")]

    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;

    pub const END_STREAM: u8 = 1;
    pub const ACK: u8 = 1;
    pub const END_HEADERS: u8 = 4;

    pub const INITIAL_WINDOW_SIZE: u16 = 4;
    pub const ENABLE_CONNECT_PROTOCOL: u16 = 8;
}

/// A frame as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http2Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// The stream, 0 for the connection.
    pub stream: u32,
    /// What is in it.
    pub payload: Bytes,
}

impl Http2Frame {
    /// The settings of a SETTINGS frame.
    pub fn settings(&self) -> Vec<(u16, u32)> {
        let each = self.payload.chunks_exact(6);
        each.map(|setting| {
            let [a, b, c, d, e, f] = [0, 1, 2, 3, 4, 5].map(|at| setting[at]);
            (u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f]))
        })
        .collect()
    }
}

/// An HTTP/2 connection on which frames are sent as they stand, and nothing is answered.
pub struct Http2Frames {
    stream: Box<dyn Stream>,
    inbound: BytesMut,
}

impl Http2Frames {
    /// Sends the preface and settings.
    pub async fn begin(stream: Box<dyn Stream>, settings: &[(u16, u32)]) -> Self {
        let mut frames = Self {
            stream,
            inbound: BytesMut::new(),
        };
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend_from_slice(&name.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        let mut opening = PREFACE.to_vec();
        opening.extend(Self::frame(http2_frame::SETTINGS, 0, 0, &payload));
        frames.send(&opening).await;
        frames
    }

    /// A frame as it goes over the wire.
    pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len())
            .expect("a length")
            .to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        frame
    }

    /// Fields as a block of headers: in full, without a table and without Huffman's code.
    pub fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut block = Vec::new();
        for (name, value) in fields {
            block.push(0);
            for text in [name, value] {
                block.push(u8::try_from(text.len()).expect("a short text") & 0x7f);
                block.extend_from_slice(text.as_bytes());
            }
        }
        block
    }

    /// An extended CONNECT for a path, as one HEADERS frame.
    pub fn connect(stream: u32, path: &str) -> Vec<u8> {
        let block = Self::fields(&[
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":path", path),
            (":authority", "wharf.test"),
            ("sec-websocket-version", "13"),
        ]);
        Self::frame(
            http2_frame::HEADERS,
            http2_frame::END_HEADERS,
            stream,
            &block,
        )
    }

    /// Sends bytes. False if the connection is over, or the server takes no more of them for a
    /// second: it holds its peer back.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        let sending = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        timeout(STUCK, sending).await.is_ok_and(|sent| sent.is_ok())
    }

    /// The next frame; `None` at the end of the connection.
    ///
    /// # Panics
    ///
    /// If nothing comes for [`PATIENCE`].
    pub async fn next(&mut self) -> Option<Http2Frame> {
        let reading = timeout(PATIENCE, self.read());
        reading.await.expect("a frame, or the end, in time")
    }

    async fn read(&mut self) -> Option<Http2Frame> {
        const HEAD_BYTES: usize = 9;
        loop {
            if let Some(head) = self.inbound.first_chunk::<HEAD_BYTES>() {
                let [a, b, c, kind, flags, stream @ ..] = *head;
                let length = u32::from_be_bytes([0, a, b, c]) as usize;
                if self.inbound.len() >= HEAD_BYTES + length {
                    let frame = self.inbound.split_to(HEAD_BYTES + length).freeze();
                    return Some(Http2Frame {
                        kind,
                        flags,
                        stream: u32::from_be_bytes(stream) & (u32::MAX >> 1),
                        payload: frame.slice(HEAD_BYTES..),
                    });
                }
            }
            match self.stream.read_buf(&mut self.inbound).await {
                Ok(1..) => {}
                _ => return None,
            }
        }
    }

    /// Reads on until a frame of this type, or the end.
    pub async fn next_of(&mut self, kind: u8) -> Option<Http2Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }
}

impl std::fmt::Debug for Http2Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http2Frames")
            .field("inbound_bytes", &self.inbound.len())
            .finish_non_exhaustive()
    }
}
