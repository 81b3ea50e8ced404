//! What a test expects of the server, and what it says when something else comes.

use std::time::Duration;

use tokio::time::timeout;

use super::client::{Silence, TestSocket};
use crate::message::{CloseCode, CloseFrame, Message};

/// How much of a binary message a failure shows.
const SHOWN_BYTES: usize = 32;

/// Expectations: each takes the next message, after answering pings, and panics with what came
/// instead.
impl TestSocket {
    /// Expects this text next.
    ///
    /// # Panics
    ///
    /// If something else comes, naming it, or if nothing does.
    pub async fn expect_text(&mut self, text: &str) {
        let came = self.wait_message().await;
        match &came {
            Ok(Some(Message::Text(came))) if *came == *text => {}
            _ => panic!("expected the text {text:?}, but got {}", describe(&came)),
        }
    }

    /// Expects these bytes next.
    ///
    /// # Panics
    ///
    /// If something else comes, naming it, or if nothing does.
    pub async fn expect_binary(&mut self, bytes: &[u8]) {
        let came = self.wait_message().await;
        match &came {
            Ok(Some(Message::Binary(came))) if *came == bytes => {}
            _ => panic!(
                "expected {}, but got {}",
                describe_bytes(bytes),
                describe(&came)
            ),
        }
    }

    /// Expects JSON text next, and decodes it.
    ///
    /// # Panics
    ///
    /// If something else comes, if it does not decode, naming why, or if nothing comes.
    pub async fn expect_json<T: serde::de::DeserializeOwned>(&mut self) -> T {
        let came = self.wait_message().await;
        match &came {
            Ok(Some(Message::Text(text))) => match serde_json::from_str(text) {
                Ok(value) => value,
                Err(error) => panic!("expected JSON of another shape, but got {text}: {error}"),
            },
            _ => panic!("expected JSON text, but got {}", describe(&came)),
        }
    }

    /// Expects the server to close with this code next, answers it, and expects the end of the
    /// connection. Returns the frame, for its reason.
    ///
    /// # Panics
    ///
    /// If something else comes, naming it, or if nothing does.
    pub async fn expect_close(&mut self, code: u16) -> CloseFrame {
        let came = self.wait_message().await;
        let frame = match came {
            Ok(Some(Message::Close(Some(frame)))) if frame.code().as_u16() == code => frame,
            _ => panic!("expected a close with {code}, but got {}", describe(&came)),
        };
        self.expect_end().await;
        frame
    }

    /// Expects the connection to end without a close frame, or after it.
    ///
    /// # Panics
    ///
    /// If something else comes, naming it, or if nothing does.
    pub async fn expect_end(&mut self) {
        let came = self.wait_message().await;
        assert!(
            matches!(came, Ok(None)),
            "expected the end of the connection, but got {}",
            describe(&came)
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
                describe(&Ok(message))
            );
        }
    }
}

fn describe(came: &Result<Option<Message>, Silence>) -> String {
    match came {
        Err(silence) => silence.to_string(),
        Ok(None) => "the end of the connection".to_owned(),
        Ok(Some(Message::Text(text))) => format!("the text {text:?}"),
        Ok(Some(Message::Close(Some(frame)))) => {
            format!("a close with {} ({})", frame.code(), frame.reason())
        }
        Ok(Some(Message::Close(None))) => format!("a close with {}", CloseCode::NO_STATUS),
        Ok(Some(Message::Binary(bytes))) => describe_bytes(bytes),
        Ok(Some(other)) => format!("{other:?}"),
    }
}

fn describe_bytes(bytes: &[u8]) -> String {
    let shown = bytes[..bytes.len().min(SHOWN_BYTES)].escape_ascii();
    let more = if bytes.len() > SHOWN_BYTES { "…" } else { "" };
    format!("{} bytes of binary, b\"{shown}{more}\"", bytes.len())
}
