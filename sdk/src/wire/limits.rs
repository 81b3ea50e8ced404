//! What the decoder enforces.

use crate::policy::Limits;

/// What the decoder enforces while bytes arrive.
#[derive(Debug, Clone, Copy)]
pub struct WireLimits {
    /// The largest message, reassembled, in bytes.
    pub max_message_bytes: usize,
    /// The largest number of fragments of one message.
    pub max_fragments: usize,
}

impl From<&Limits> for WireLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            max_message_bytes: limits.max_message_bytes,
            max_fragments: limits.max_fragments,
        }
    }
}
