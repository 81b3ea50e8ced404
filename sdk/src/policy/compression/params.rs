//! What two sides agreed on.

use serde::Serialize;

/// One side's compressor, as the other has to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DeflateSide {
    /// Whether its messages may refer to those before.
    pub takeover: bool,
    /// How far they refer back: 2 to the power of it, in bytes. 8 to 15.
    pub window_bits: u8,
}

/// What was agreed on, from where one side stands, and how that side compresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeflateParams {
    /// How this side compresses what it sends.
    pub ours: DeflateSide,
    /// How the peer compresses what it sends.
    pub peers: DeflateSide,
    /// Smaller messages of this side leave as they are.
    pub threshold_bytes: usize,
    /// This side's level: 1 to 9.
    pub level: u8,
    /// The memory level of this side's compressors: 1 to 9.
    pub memory_level: u8,
}
