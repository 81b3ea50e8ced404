//! What a test expects of the server, and what it says when something else comes.

use std::time::Duration;

use tokio::time::timeout;

use super::client::TestSocket;
use crate::{
    close::{CloseCode, CloseFrame},
    message::Message,
};

/// How much of a binary message a failure shows.
const SHOWN_BYTES: usize = 32;

/// Expectations: each takes the next message, after answering pings, and panics with what came
/// instead.
impl TestSocket {
    /// Expects this text next.
    ///
    /// # Panics
    ///
    /// If something else comes, naming it.
    pub async fn expect_text(&mut self, text: &str) {
        let message = self.next_message().await;
        match &message {
            Some(Message::Text(came)) if *came == *text => {}
            other => panic!(
                "expected the text {text:?}, but got {}",
                describe(other.as_ref())
            ),
        }
    }

    /// Expects these bytes next.
    ///
    /// # Panics
    ///
    /// If something else comes, naming it.
    pub async fn expect_binary(&mut self, bytes: &[u8]) {
        let message = self.next_message().await;
        let expected = describe_bytes(bytes);
        match &message {
            Some(Message::Binary(came)) if *came == bytes => {}
            other => panic!("expected {expected}, but got {}", describe(other.as_ref())),
        }
    }

    /// Expects JSON text next, and decodes it.
    ///
    /// # Panics
    ///
    /// If something else comes, or if it does not decode, naming why.
    pub async fn expect_json<T: serde::de::DeserializeOwned>(&mut self) -> T {
        let message = self.next_message().await;
        match &message {
            Some(Message::Text(text)) => match serde_json::from_str(text) {
                Ok(value) => value,
                Err(error) => panic!("expected other JSON than {text}: {error}"),
            },
            other => panic!("expected JSON text, but got {}", describe(other.as_ref())),
        }
    }

    /// Expects the server to close with this code next, answers it, and expects the end of the
    /// connection. Returns the frame, for its reason.
    ///
    /// # Panics
    ///
    /// If something else comes, naming it.
    pub async fn expect_close(&mut self, code: u16) -> CloseFrame {
        let message = self.next_message().await;
        let frame = match message {
            Some(Message::Close(Some(frame))) => frame,
            other => panic!(
                "expected a close with {code}, but got {}",
                describe(other.as_ref())
            ),
        };
        assert_eq!(
            frame.code.as_u16(),
            code,
            "expected a close with {code}, but got {} ({})",
            frame.code,
            frame.reason,
        );
        self.expect_end().await;
        frame
    }

    /// Expects the connection to end without a close frame.
    ///
    /// # Panics
    ///
    /// If something else comes, naming it.
    pub async fn expect_end(&mut self) {
        let message = self.next_message().await;
        assert!(
            message.is_none(),
            "expected the end of the connection, but got {}",
            describe(message.as_ref())
        );
    }

    /// Expects nothing but pings and pongs for this long.
    ///
    /// # Panics
    ///
    /// If something comes, naming it.
    pub async fn expect_silence(&mut self, duration: Duration) {
        self.assert_reads();
        let came = timeout(duration, async {
            loop {
                match self.recv().await {
                    Some(Message::Ping(_) | Message::Pong(_)) => {}
                    message => return message,
                }
            }
        });
        if let Ok(message) = came.await {
            panic!(
                "expected silence for {duration:?}, but got {}",
                describe(message.as_ref())
            );
        }
    }
}

fn describe(message: Option<&Message>) -> String {
    match message {
        None => "the end of the connection".to_owned(),
        Some(Message::Text(text)) => format!("the text {text:?}"),
        Some(Message::Close(Some(frame))) => {
            format!("a close with {} ({})", frame.code, frame.reason)
        }
        Some(Message::Close(None)) => format!("a close with {}", CloseCode::NO_STATUS),
        Some(Message::Binary(bytes)) => describe_bytes(bytes),
        Some(other) => format!("{other:?}"),
    }
}

fn describe_bytes(bytes: &[u8]) -> String {
    let shown = bytes[..bytes.len().min(SHOWN_BYTES)].escape_ascii();
    let more = if bytes.len() > SHOWN_BYTES { "…" } else { "" };
    format!("{} bytes of binary, b\"{shown}{more}\"", bytes.len())
}
