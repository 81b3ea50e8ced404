//! What a client expects, said so that a failure shows what came instead.

use std::time::Duration;

use tokio::time::Instant;

use super::{Client, Frame, opcode};

impl Client {
    /// Expects this text next.
    ///
    /// # Panics
    ///
    /// If something else comes, naming it. The same holds for every expectation here.
    pub async fn expect_text(&mut self, text: &str) {
        let frame = self
            .expect_frame(opcode::TEXT, &format!("the text {text:?}"))
            .await;
        assert!(
            frame.payload == text.as_bytes(),
            "expected the text {text:?}, got {frame:?}"
        );
    }

    /// Expects some text next.
    pub async fn expect_any_text(&mut self) -> String {
        self.expect_frame(opcode::TEXT, "a text")
            .await
            .as_text()
            .to_owned()
    }

    /// Expects JSON text next.
    pub async fn expect_json(&mut self) -> serde_json::Value {
        let text = self.expect_any_text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
    }

    /// Expects these bytes as a binary message next.
    pub async fn expect_binary(&mut self, bytes: &[u8]) {
        let what = format!("{} bytes of binary", bytes.len());
        let frame = self.expect_frame(opcode::BINARY, &what).await;
        assert!(
            frame.payload == bytes,
            "expected other bytes than {frame:?}"
        );
    }

    /// Expects a ping next, and returns its payload.
    pub async fn expect_ping(&mut self) -> Vec<u8> {
        self.expect_frame(opcode::PING, "a ping")
            .await
            .payload
            .to_vec()
    }

    /// Expects a pong with this payload next.
    pub async fn expect_pong(&mut self, payload: &[u8]) {
        let frame = self
            .expect_frame(opcode::PONG, &format!("a pong with {payload:?}"))
            .await;
        assert!(
            frame.payload == payload,
            "expected a pong with {payload:?}, got {frame:?}"
        );
    }

    /// Expects a close frame with this code next, and returns its reason. It is not answered.
    pub async fn expect_close_frame(&mut self, code: u16) -> String {
        let frame = self
            .expect_frame(opcode::CLOSE, &format!("a close with {code}"))
            .await;
        let (came, reason) = frame.close_code_and_reason();
        assert_eq!(
            came, code,
            "expected another close code; the reason is {reason:?}"
        );
        reason.to_owned()
    }

    /// Expects the server to close with this code next, answers it, expects the end of the
    /// connection, and returns the reason.
    pub async fn expect_close(&mut self, code: u16) -> String {
        let reason = self.expect_close_frame(code).await;
        self.send(Frame::close(code, "")).await;
        self.expect_end().await;
        reason
    }

    /// Expects the end of the connection, without another frame.
    pub async fn expect_end(&mut self) {
        if let Some(frame) = self.recv().await {
            panic!("expected the end of the connection, got {frame:?}");
        }
        let rest = &self.inbound;
        assert!(
            rest.is_empty(),
            "the connection ended inside a frame: {rest:?}"
        );
    }

    /// Expects nothing at all for this long.
    pub async fn expect_silence(&mut self, duration: Duration) {
        match self.recv_within(duration).await {
            None => {}
            Some(None) => panic!("expected silence for {duration:?}, the connection ended"),
            Some(Some(frame)) => panic!("expected silence for {duration:?}, got {frame:?}"),
        }
    }

    /// Sends a text and expects it back: the session lives.
    pub async fn expect_echo(&mut self, text: &str) {
        self.send_text(text).await;
        self.expect_text(text).await;
    }

    /// Closes with 1000 and expects the answer and the end.
    pub async fn close(&mut self) {
        self.close_with(1000, "").await;
    }

    /// Closes and expects the answer with the same code, and the end.
    pub async fn close_with(&mut self, code: u16, reason: &str) {
        self.send(Frame::close(code, reason)).await;
        let answered = self.expect_close_frame(code).await;
        assert!(
            answered.is_empty() || answered == reason,
            "the answer's reason is {answered:?}, expected none or {reason:?}"
        );
        self.expect_end().await;
    }

    /// Reads whatever comes until the connection ends, for at most this long.
    pub async fn drain(&mut self, at_most: Duration) -> Vec<Frame> {
        let deadline = Instant::now() + at_most;
        let mut frames = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.recv_within(left).await {
                Some(Some(frame)) => frames.push(frame),
                Some(None) => return frames,
                None => panic!("the connection did not end within {at_most:?}"),
            }
        }
    }

    async fn expect_frame(&mut self, opcode: u8, what: &str) -> Frame {
        match self.recv().await {
            Some(frame) if frame.opcode == opcode && frame.fin => frame,
            Some(frame) => panic!("expected {what}, got {frame:?}"),
            None => panic!("expected {what}, the connection ended"),
        }
    }
}
