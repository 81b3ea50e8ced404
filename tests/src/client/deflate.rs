//! The other side of permessage-deflate, by another library than the server's.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use http::{HeaderMap, header::SEC_WEBSOCKET_EXTENSIONS};

const FLUSH_END: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// A client's compressor and inflater, as the 101 says.
#[derive(Debug)]
pub struct Deflate {
    compress: Compress,
    decompress: Decompress,
    client_keeps: bool,
    server_keeps: bool,
}

impl Deflate {
    /// What the server accepted, if it did.
    pub fn accepted(headers: &HeaderMap) -> Option<Self> {
        let line = headers.get(SEC_WEBSOCKET_EXTENSIONS)?.to_str().ok()?;
        assert!(line.starts_with("permessage-deflate"), "{line:?}");
        Some(Self {
            compress: Compress::new(Compression::best(), false),
            decompress: Decompress::new(false),
            client_keeps: !line.contains("client_no_context_takeover"),
            server_keeps: !line.contains("server_no_context_takeover"),
        })
    }

    /// A client's that is never spoken to.
    pub(crate) fn of_a_client(level: u32, keeps: bool) -> Self {
        Self {
            compress: Compress::new(Compression::new(level), false),
            decompress: Decompress::new(false),
            client_keeps: keeps,
            server_keeps: keeps,
        }
    }

    /// Compresses a message.
    pub fn deflate(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut deflated = Vec::with_capacity(payload.len() + 1024);
        self.compress
            .compress_vec(payload, &mut deflated, FlushCompress::Sync)
            .expect("it compresses");
        assert!(deflated.len() < deflated.capacity(), "no room");
        assert!(deflated.ends_with(&FLUSH_END));
        deflated.truncate(deflated.len() - FLUSH_END.len());
        if !self.client_keeps {
            self.compress.reset();
        }
        deflated
    }

    /// Inflates a message.
    pub(crate) fn inflate(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut inflated = Vec::new();
        let input = [payload, &FLUSH_END].concat();
        let start = self.decompress.total_in();
        loop {
            inflated.reserve(64 * 1024);
            let taken = (self.decompress.total_in() - start) as usize;
            let flush = FlushDecompress::Sync;
            let status = self
                .decompress
                .decompress_vec(&input[taken..], &mut inflated, flush)
                .expect("the server sends what inflates");
            let taken = (self.decompress.total_in() - start) as usize;
            assert_ne!(status, Status::StreamEnd, "a last block");
            if taken == input.len() && inflated.len() < inflated.capacity() {
                break;
            }
        }
        if !self.server_keeps {
            self.decompress.reset(false);
        }
        inflated
    }
}
