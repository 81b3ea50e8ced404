//! The client's end.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::Response;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::timeout,
};

use crate::{
    close::{CloseCode, CloseFrame},
    error::{Error, ErrorKind, Result},
    message::Message,
    websocket::WebSocket,
    wire::{Decoder, NativeSocket, OpCode, WireLimits, encode_client_frame},
};

/// How long an expectation waits. Paused time makes it instant.
const PATIENCE: Duration = Duration::from_secs(60);

/// Any key will do.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A client's socket: a [`WebSocket`] with expectations and faults.
///
/// It reads only when told to, so a test that does not read is a peer that does not. Pings are
/// answered while it reads.
#[derive(Debug)]
pub struct TestSocket {
    stream: Option<DuplexStream>,
    response: Response<()>,
    decoder: Decoder,
    inbound: BytesMut,
    answers_pings: bool,
    sent_close: bool,
    close: Option<Option<CloseFrame>>,
}

impl TestSocket {
    pub(super) fn new(stream: DuplexStream, response: Response<()>, answers_pings: bool) -> Self {
        Self {
            stream: Some(stream),
            response,
            decoder: Decoder::for_client(WireLimits {
                max_message_bytes: usize::MAX,
                max_fragments: usize::MAX,
            }),
            inbound: BytesMut::new(),
            answers_pings,
            sent_close: false,
            close: None,
        }
    }

    /// The 101.
    pub fn response(&self) -> &Response<()> {
        &self.response
    }

    /// Sends a text message.
    pub async fn send_text(&mut self, text: &str) {
        self.send_frame(0x80 | OpCode::Text.bits(), text.as_bytes())
            .await;
    }

    /// Sends a binary message.
    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.send_frame(0x80 | OpCode::Binary.bits(), bytes).await;
    }

    /// Sends a value as JSON text.
    ///
    /// # Panics
    ///
    /// If it does not serialize.
    pub async fn send_json(&mut self, value: &impl serde::Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => self.send_text(&text).await,
            Err(error) => panic!("the value does not serialize: {error}"),
        }
    }

    /// Sends a masked frame whose first byte is `first`: flags and opcode, right or wrong.
    pub async fn send_frame(&mut self, first: u8, payload: &[u8]) {
        let mut frame = BytesMut::new();
        encode_client_frame(&mut frame, first, MASK, payload);
        self.send_raw(&frame).await;
    }

    /// Sends bytes as they are: a violation, half a frame. What a gone server does not take is
    /// dropped.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        if let Some(stream) = &mut self.stream {
            let sent = timeout(PATIENCE, stream.write_all(bytes)).await;
            assert!(
                sent.is_ok(),
                "the server took no more bytes for {PATIENCE:?}"
            );
        }
    }

    /// Drops the connection without a close frame.
    pub fn vanish(&mut self) {
        self.stream = None;
    }

    /// The next frame, whatever it is; `None` once the server ended the connection.
    ///
    /// # Panics
    ///
    /// If nothing comes for long, or if the server breaks the protocol.
    pub async fn next_frame(&mut self) -> Option<Message> {
        match timeout(PATIENCE, self.recv()).await {
            Ok(frame) => frame,
            Err(_) => panic!("expected a frame, but nothing came for {PATIENCE:?}"),
        }
    }

    /// The next text, binary or close frame; pings are answered and pongs passed over.
    pub async fn next_message(&mut self) -> Option<Message> {
        loop {
            match self.next_frame().await {
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                message => return message,
            }
        }
    }

    /// Expects this text next.
    ///
    /// # Panics
    ///
    /// If something else comes, naming it.
    pub async fn expect_text(&mut self, text: &str) {
        let message = self.next_message().await;
        match &message {
            Some(Message::Text(came)) if *came == *text => {}
            Some(Message::Text(came)) => panic!("expected the text {text:?}, but got {came:?}"),
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
        let expected = format!("{} bytes of binary", bytes.len());
        match &message {
            Some(Message::Binary(came)) => assert!(came == bytes, "got other bytes than expected"),
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

    /// Expects the server to close with this code next, answers it, and expects the end.
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

    /// The next frame. Cancel-safe: bytes that were read stay in the buffer.
    async fn recv(&mut self) -> Option<Message> {
        loop {
            match self.decoder.decode(&mut self.inbound) {
                Ok(Some(message)) => {
                    self.answer(&message).await;
                    return Some(message);
                }
                Ok(None) => {}
                Err(error) => panic!("the server broke the protocol: {error}"),
            }
            match self.stream.as_mut()?.read_buf(&mut self.inbound).await {
                Ok(1..) => {}
                _ => {
                    self.stream = None;
                    return None;
                }
            }
        }
    }

    async fn answer(&mut self, message: &Message) {
        match message {
            Message::Ping(payload) if self.answers_pings => {
                let payload = payload.clone();
                self.send_frame(0x80 | OpCode::Pong.bits(), &payload).await;
            }
            Message::Close(frame) => {
                self.close = Some(frame.clone());
                self.send_close(frame.clone()).await;
            }
            _ => {}
        }
    }

    async fn send_close(&mut self, frame: Option<CloseFrame>) {
        if self.sent_close {
            return;
        }
        self.sent_close = true;
        let payload = frame.map_or_else(Vec::new, |frame| {
            let mut payload = frame.code.as_u16().to_be_bytes().to_vec();
            payload.extend_from_slice(frame.reason.as_bytes());
            payload
        });
        self.send_frame(0x80 | OpCode::Close.bits(), &payload).await;
    }
}

#[async_trait]
impl WebSocket for TestSocket {
    async fn read(&mut self) -> Result<Option<Message>> {
        loop {
            match self.next_frame().await {
                None | Some(Message::Close(_)) => return Ok(None),
                Some(message) if message.is_data() => return Ok(Some(message)),
                Some(_) => {}
            }
        }
    }

    async fn write(&mut self, message: Message) -> Result<()> {
        if self.sent_close || self.stream.is_none() {
            return Err(Error::closed());
        }
        match message {
            Message::Text(text) => self.send_text(&text).await,
            Message::Binary(bytes) => self.send_binary(&bytes).await,
            _ => {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "WHARF_CONTROL_WRITE",
                    "write text or binary; send_frame sends anything",
                ));
            }
        }
        Ok(())
    }

    async fn ping(&mut self, payload: Bytes) -> Result<()> {
        self.send_frame(0x80 | OpCode::Ping.bits(), &payload).await;
        Ok(())
    }

    async fn close(&mut self, frame: CloseFrame) -> Result<()> {
        self.send_close(Some(frame)).await;
        while self.close.is_none() && self.next_frame().await.is_some() {}
        Ok(())
    }

    fn subprotocol(&self) -> Option<&str> {
        self.response
            .headers()
            .get("sec-websocket-protocol")?
            .to_str()
            .ok()
    }

    async fn native(&mut self) -> Result<&mut dyn NativeSocket> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "WHARF_NO_NATIVE",
            "the in-memory host has no native socket; check capabilities().native first",
        ))
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
        Some(other) => format!("{other:?}"),
    }
}
