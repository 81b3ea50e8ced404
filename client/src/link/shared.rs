//! What a link's task and its senders share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use wharf_sdk::{CloseFrame, Error, ErrorKind, Message, Result};

use super::outgoing::Outgoing;

/// What becomes of messages while there is no connection.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhileAway {
    /// They wait, within the queue's bounds.
    #[default]
    Queue,
    /// They are refused with `WHARF_LINK_AWAY`.
    Refuse,
}

pub(super) struct Shared {
    state: Mutex<State>,
    /// Rung when there is something to send, or to close for.
    pub(super) work: Notify,
    /// Rung when there is room, or none will come.
    pub(super) room: Notify,
    while_away: WhileAway,
    max_message_bytes: usize,
}

pub(super) struct State {
    pub(super) outgoing: Outgoing,
    pub(super) is_connected: bool,
    pub(super) has_ended: bool,
    pub(super) closing: Option<CloseFrame>,
    pub(super) position: Option<String>,
}

impl Shared {
    pub(super) fn new(outgoing: Outgoing, while_away: WhileAway, max_message_bytes: usize) -> Self {
        Self {
            state: Mutex::new(State {
                outgoing,
                is_connected: false,
                has_ended: false,
                closing: None,
                position: None,
            }),
            work: Notify::new(),
            room: Notify::new(),
            while_away,
            max_message_bytes,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // The guarded sections only move messages and set flags.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_position(&self, position: String) {
        self.lock().position = Some(position);
    }

    pub(super) fn close(&self, frame: CloseFrame) {
        self.lock().closing.get_or_insert(frame);
        self.work.notify_one();
        self.room.notify_waiters();
    }

    /// Takes a message, or gives it back if there is no room yet.
    pub(super) fn offer(&self, message: Message) -> Result<Option<Message>> {
        if !message.is_data() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "WHARF_CONTROL_WRITE",
                "a link sends text and binary; it pings and closes by itself",
            ));
        }
        let bytes = message.payload_bytes();
        if bytes > self.max_message_bytes {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "WHARF_OUTBOUND_TOO_LARGE",
                format!(
                    "a message of {bytes} bytes is over the outbound limit of {}; send less or \
                     raise max_outbound_message_bytes",
                    self.max_message_bytes
                ),
            ));
        }
        let mut state = self.lock();
        if state.has_ended || state.closing.is_some() {
            return Err(Error::new(
                ErrorKind::Closed,
                "WHARF_CLOSED",
                "the link has ended; stop writing to it",
            ));
        }
        if !state.is_connected && self.while_away == WhileAway::Refuse {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "WHARF_LINK_AWAY",
                "there is no connection; try again when there is one",
            ));
        }
        if !state.outgoing.has_room(bytes) {
            return Ok(Some(message));
        }
        state.outgoing.push(message);
        drop(state);
        self.work.notify_one();
        Ok(None)
    }
}
