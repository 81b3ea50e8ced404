//! What a session moved.

/// What a session moved.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Text and binary messages read from the peer.
    pub messages_in: u64,
    /// Their payload bytes.
    pub bytes_in: u64,
    /// Text and binary messages handed to the transport.
    pub messages_out: u64,
    /// Their payload bytes.
    pub bytes_out: u64,
    /// Bytes of the connection that were read behind the 101: frame heads, control frames, and
    /// payloads as they were on their way. Compression is worth it where they are fewer than
    /// [`bytes_in`](Self::bytes_in).
    pub wire_bytes_in: u64,
    /// The same in the other direction, as far as the system has taken them.
    pub wire_bytes_out: u64,
    /// Messages that the slow-client policy dropped or replaced by a later one of their key.
    pub messages_dropped: u64,
}

/// The part of it that is counted as it happens: what is dropped is counted where few sessions need
/// room for it.
#[derive(Debug, Default)]
pub(super) struct Moved {
    pub(super) messages_in: u64,
    pub(super) bytes_in: u64,
    pub(super) messages_out: u64,
    pub(super) bytes_out: u64,
    pub(super) wire_bytes_in: u64,
    pub(super) wire_bytes_out: u64,
}
