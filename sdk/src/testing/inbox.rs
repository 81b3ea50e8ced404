//! What came before it was waited for.

use std::collections::VecDeque;

use serde_json::Value;

/// The server's texts that came while something else was waited for.
#[derive(Debug, Default)]
pub(super) struct ChannelInbox {
    pub(super) set_aside: VecDeque<Value>,
    pub(super) last_id: u64,
}
