//! The client's end.

use std::{fmt, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use http::Response;
use tokio::{
    io::DuplexStream,
    time::{Instant, timeout, timeout_at},
};

use super::{
    inbox::ChannelInbox,
    line::{Line, MASK},
};
use crate::{
    message::{CloseCode, CloseFrame, Message},
    policy::DeflateParams,
    wire::{Decoder, OpCode, WireLimits, deflate::Deflater, encode_client_frame},
};

/// How long an expectation waits. Paused time makes it instant.
const PATIENCE: Duration = Duration::from_secs(60);

/// Nothing that was waited for came in time.
#[derive(Debug)]
pub(super) struct Silence;

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing for {PATIENCE:?}")
    }
}

/// A client's socket, with expectations and faults.
///
/// Pings are answered whatever the test does, unless the client was made
/// [`without_pongs`](super::Connect::without_pongs) or was told to
/// [stall](Self::stall): it reads up to 64 KiB ahead. What comes beyond that waits in the connection,
/// as it does for a peer that does not read. An expectation gives up after 60 s without a
/// message; [`expect_silence`](Self::expect_silence) passes longer ones.
///
/// # Cancel safety
///
/// Every method may be dropped halfway and loses nothing: what was sent goes out with the next
/// call, and what came in is what the next call returns. Expectations that were dropped may have
/// taken pings and pongs, never a message.
///
/// ```
/// # use wharf_sdk::{App, Result, Route, Socket, WebSocketExt, testing::TestHost};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// async fn shout(mut socket: Socket) -> Result<()> {
///     while let Some(text) = socket.read_text().await? {
///         socket.write(text.to_uppercase()).await?;
///     }
///     Ok(())
/// }
///
/// let app = App::builder().route(Route::new("/shout", shout)).build().expect("valid");
/// let mut client = TestHost::new(app).connect("/shout").await;
/// client.send_text("hey").await;
/// client.expect_text("HEY").await;
/// client.close(1000, "bye").await;
/// client.expect_end().await;
/// # }
/// ```
#[derive(Debug)]
pub struct TestSocket {
    pub(super) line: Line,
    response: Response<()>,
    frames: Frames,
    sent_close: bool,
    close: Option<Option<CloseFrame>>,
    deflater: Option<Box<Deflater>>,
    pub(super) events: ChannelInbox,
}

/// What the server's bytes mean.
#[derive(Debug)]
struct Frames {
    decoder: Decoder,
    /// Of the message that arrives, and of the last one.
    begins_compressed: bool,
    was_compressed: bool,
}

impl TestSocket {
    pub(super) fn new(stream: DuplexStream, response: Response<()>, answers_pings: bool) -> Self {
        Self {
            line: Line::new(stream, answers_pings),
            response,
            frames: Frames {
                decoder: Decoder::for_client(WireLimits {
                    max_message_bytes: usize::MAX,
                    max_fragments: usize::MAX,
                }),
                begins_compressed: false,
                was_compressed: false,
            },
            sent_close: false,
            close: None,
            deflater: None,
            events: ChannelInbox::default(),
        }
    }

    pub(super) fn with_deflate(mut self, agreed: Option<&DeflateParams>) -> Self {
        if let Some(params) = agreed {
            self.frames.decoder.set_deflate(params);
            self.deflater = Deflater::agreed(params);
        }
        self
    }

    /// Whether compression was agreed on: see [`Connect::compression`](super::Connect::compression).
    pub fn is_compressing(&self) -> bool {
        self.deflater.is_some()
    }

    /// Whether the last text or binary message came compressed.
    pub fn was_compressed(&self) -> bool {
        self.frames.was_compressed
    }

    /// The 101.
    pub fn response(&self) -> &Response<()> {
        &self.response
    }

    /// The next text or binary message; `None` once the server closed or ended the connection.
    ///
    /// # Panics
    ///
    /// As [`next_frame`](Self::next_frame).
    pub async fn read(&mut self) -> Option<Message> {
        loop {
            match self.next_frame().await {
                None | Some(Message::Close(_)) => return None,
                Some(message) if message.is_data() => return Some(message),
                Some(_) => {}
            }
        }
    }

    /// Sends a ping.
    pub async fn ping(&mut self, payload: impl Into<Bytes>) {
        self.send_frame(0x80 | OpCode::Ping.bits(), &payload.into())
            .await;
    }

    /// Closes with this code and reason and waits for the server's close.
    ///
    /// # Panics
    ///
    /// If they may not be sent; [`send_frame`](Self::send_frame) sends anything.
    pub async fn close(&mut self, code: impl Into<CloseCode>, reason: &str) {
        match CloseFrame::new(code, reason) {
            Ok(frame) => self.queue_close(Some(&frame)),
            Err(refused) => panic!("{refused}; send_frame sends anything"),
        }
        self.flush().await;
        while self.close.is_none() && self.next_frame().await.is_some() {}
    }

    /// The subprotocol that the server selected.
    pub fn subprotocol(&self) -> Option<&str> {
        self.response
            .headers()
            .get("sec-websocket-protocol")?
            .to_str()
            .ok()
    }

    /// Sends a text message.
    pub async fn send_text(&mut self, text: &str) {
        self.send_data(OpCode::Text, text.as_bytes()).await;
    }

    /// Sends a binary message.
    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.send_data(OpCode::Binary, bytes).await;
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

    /// Sends a message, compressed where that was agreed on and is worth it.
    async fn send_data(&mut self, opcode: OpCode, payload: &[u8]) {
        let deflater = self.deflater.as_mut();
        let deflater = deflater.filter(|it| it.wants(payload.len()) && !it.is_large(payload.len()));
        let deflated = deflater
            .and_then(|deflater| deflater.deflate(payload, |made| made.map(<[u8]>::to_vec)));
        match deflated {
            Some(deflated) => self.send_frame(0xC0 | opcode.bits(), &deflated).await,
            None => self.send_frame(0x80 | opcode.bits(), payload).await,
        }
    }

    /// Sends a masked frame whose first byte is `first`: flags and opcode, right or wrong.
    pub async fn send_frame(&mut self, first: u8, payload: &[u8]) {
        self.queue_frame(first, payload);
        self.flush().await;
    }

    /// Sends bytes as they are: a violation, half a frame. What a gone server does not take is
    /// dropped.
    ///
    /// # Panics
    ///
    /// If the server takes nothing for long.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        self.line.send_raw(bytes);
        self.flush().await;
    }

    /// The next frame, whatever it is; `None` once the server ended the connection.
    ///
    /// # Panics
    ///
    /// If nothing comes for long, if the server breaks the protocol, or if this client was told
    /// not to read.
    pub async fn next_frame(&mut self) -> Option<Message> {
        self.assert_reads();
        let mut deadline = Instant::now() + PATIENCE;
        match self.wait_frame(&mut deadline).await {
            Ok(frame) => frame,
            Err(silence) => panic!("expected a frame, but got {silence}"),
        }
    }

    /// The next text, binary or close frame; pings are answered and pongs passed over.
    ///
    /// # Panics
    ///
    /// As [`next_frame`](Self::next_frame).
    pub async fn next_message(&mut self) -> Option<Message> {
        match self.wait_message().await {
            Ok(message) => message,
            Err(silence) => panic!("expected a message, but got {silence}"),
        }
    }

    /// What [`next_message`](Self::next_message) returns, or that nothing came. A heartbeat alone
    /// does not make a test wait for ever.
    pub(super) async fn wait_message(&mut self) -> Result<Option<Message>, Silence> {
        self.assert_reads();
        let mut deadline = Instant::now() + PATIENCE;
        loop {
            match self.wait_frame(&mut deadline).await? {
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                message => return Ok(message),
            }
        }
    }

    /// The next frame. The deadline moves on while a frame is on its way.
    async fn wait_frame(&mut self, deadline: &mut Instant) -> Result<Option<Message>, Silence> {
        loop {
            let frames = &mut self.frames;
            let seen = self.line.state().inbound.len();
            let coming = self
                .line
                .take(|state| match frames.next(&mut state.inbound) {
                    Some(message) => Some(Some(message)),
                    None => (state.inbound.len() > seen).then_some(None),
                });
            match timeout_at(*deadline, coming).await {
                Ok(Some(Some(message))) => return Ok(Some(self.taken(message))),
                Ok(Some(None)) => *deadline = Instant::now() + PATIENCE,
                Ok(None) => return Ok(None),
                Err(_) => return Err(Silence),
            }
        }
    }

    /// The next frame, however long it takes.
    pub(super) async fn recv(&mut self) -> Option<Message> {
        let frames = &mut self.frames;
        let coming = self.line.take(|state| frames.next(&mut state.inbound));
        let message = coming.await?;
        Some(self.taken(message))
    }

    pub(super) async fn flush(&mut self) {
        let sent = timeout(PATIENCE, self.line.flush()).await;
        assert!(
            sent.is_ok(),
            "the server took no more bytes for {PATIENCE:?}"
        );
    }

    /// A test that waits for a client that does not read would wait for itself.
    pub(super) fn assert_reads(&self) {
        assert!(
            self.line.reads(),
            "this client was told not to read; call resume() first, or sleep to let time pass"
        );
    }

    /// A frame has been taken: a close is answered, now or with the next call.
    fn taken(&mut self, message: Message) -> Message {
        if let Message::Close(frame) = &message {
            self.close = Some(frame.clone());
            self.queue_close(frame.as_ref());
            let _ = self.line.flush().now_or_never();
        }
        message
    }

    fn queue_frame(&mut self, first: u8, payload: &[u8]) {
        encode_client_frame(&mut self.line.state().outbound, first, MASK, payload);
    }

    fn queue_close(&mut self, frame: Option<&CloseFrame>) {
        if self.sent_close {
            return;
        }
        self.sent_close = true;
        let payload = frame.map_or_else(Vec::new, |frame| {
            let mut payload = frame.code().as_u16().to_be_bytes().to_vec();
            payload.extend_from_slice(frame.reason().as_bytes());
            payload
        });
        self.queue_frame(0x80 | OpCode::Close.bits(), &payload);
    }
}

impl Frames {
    fn next(&mut self, inbound: &mut BytesMut) -> Option<Message> {
        if self.decoder.is_at_boundary()
            && let Some(first) = inbound.first()
        {
            self.begins_compressed = first & 0x40 != 0;
        }
        let message = match self.decoder.decode(inbound) {
            Ok(message) => message?,
            Err(error) => panic!("the server broke the protocol: {error}"),
        };
        if message.is_data() {
            self.was_compressed = self.begins_compressed;
        }
        Some(message)
    }
}
