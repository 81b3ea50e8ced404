//! A client that sees every frame and can break every rule.

mod deflate;
mod expect;
mod frame;
mod http2;
mod http2_frames;

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

pub use self::{
    deflate::Deflate,
    frame::{Frame, opcode},
    http2::{Http2Client, connect_request},
    http2_frames::{Http2Frame, Http2Frames, http2_frame},
};
use crate::host::{Answer, Running, Stream};

/// How long anything may take that is expected to happen. Far more than it takes on a busy
/// machine: it only says when to give up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The reserved bit of compressed messages.
pub(crate) const RSV1: u8 = 4;

/// The client's end of a WebSocket, by hand: it answers nothing and hides nothing, it reads only
/// when told to, and it checks that what the server sends obeys the RFC.
pub struct Client {
    stream: Option<Box<dyn Stream>>,
    inbound: BytesMut,
    /// Where compression was agreed on.
    deflate: Option<Deflate>,
    /// What the last message took on its way, if it was compressed.
    deflated_bytes: Option<usize>,
    /// Header lines of the 101.
    pub headers: http::HeaderMap,
    /// Held, so that a server whose case needs only the client is not stopped.
    server: Option<Arc<dyn Running>>,
}

impl Client {
    /// Takes the connection out of an answer.
    ///
    /// # Panics
    ///
    /// If it is not a 101.
    #[track_caller]
    pub fn new(answer: Answer) -> Self {
        let mut answer = answer.expect(101);
        Self {
            stream: answer.stream.take(),
            inbound: BytesMut::new(),
            deflate: Deflate::accepted(&answer.headers),
            deflated_bytes: None,
            headers: answer.headers,
            server: None,
        }
    }

    /// The same, holding its server.
    pub(crate) fn of(mut self, server: &Arc<dyn Running>) -> Self {
        self.server = Some(Arc::clone(server));
        self
    }

    /// Takes the connection out, for another client to go on with.
    pub fn into_stream(self) -> Box<dyn Stream> {
        assert!(self.inbound.is_empty(), "frames have been read ahead");
        self.stream.expect("a connection")
    }

    /// Sends bytes as they are. What a gone server does not take is dropped: the next expectation
    /// says what happened to it.
    ///
    /// # Panics
    ///
    /// If the server takes nothing for [`PATIENCE`].
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        let sent = timeout(PATIENCE, async {
            let _ = stream.write_all(bytes).await;
            let _ = stream.flush().await;
        });
        assert!(
            sent.await.is_ok(),
            "the server took no more bytes for {PATIENCE:?}"
        );
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: Frame) {
        self.send_raw(&frame.to_bytes()).await;
    }

    /// Sends frames in one write, so that they arrive together.
    pub async fn send_together(&mut self, frames: impl IntoIterator<Item = Frame>) {
        self.send_raw(&together(frames)).await;
    }

    /// Sends a text message.
    pub async fn send_text(&mut self, text: &str) {
        self.send(Frame::text(text)).await;
    }

    /// Compresses a message, for frames of one's own.
    ///
    /// # Panics
    ///
    /// If compression was not agreed on.
    pub fn deflate(&mut self, payload: &[u8]) -> Vec<u8> {
        let deflate = self.deflate.as_mut();
        deflate.expect("compression was agreed on").deflate(payload)
    }

    /// Sends a compressed message.
    ///
    /// # Panics
    ///
    /// If compression was not agreed on.
    pub async fn send_deflated(&mut self, opcode: u8, payload: &[u8]) {
        let deflated = self.deflate(payload);
        self.send(Frame::new(opcode, deflated).reserved(RSV1)).await;
    }

    /// Whether the last message was compressed.
    pub fn was_deflated(&self) -> bool {
        self.deflated_bytes.is_some()
    }

    /// What the last message took on its way, if it was compressed.
    pub fn deflated_bytes(&self) -> Option<usize> {
        self.deflated_bytes
    }

    /// Ends the outbound direction of the connection.
    pub async fn half_close(&mut self) {
        if let Some(stream) = &mut self.stream {
            let _ = stream.shutdown().await;
        }
    }

    /// Drops the connection.
    pub fn vanish(&mut self) {
        self.stream = None;
    }

    /// The next frame; `None` once the server has ended the connection.
    ///
    /// # Panics
    ///
    /// If nothing comes for [`PATIENCE`], or something that no server may send.
    pub async fn recv(&mut self) -> Option<Frame> {
        match timeout(PATIENCE, self.next()).await {
            Ok(frame) => frame,
            Err(_) => panic!("nothing came for {PATIENCE:?}"),
        }
    }

    /// The next frame, if one comes within this time; the inner `None` is the connection's end.
    pub async fn recv_within(&mut self, duration: Duration) -> Option<Option<Frame>> {
        timeout(duration, self.next()).await.ok()
    }

    /// Inflates what the server may have compressed.
    fn inflate(&mut self, frame: &mut Frame) {
        if !matches!(frame.opcode, opcode::TEXT | opcode::BINARY) {
            return;
        }
        self.deflated_bytes = None;
        if let (RSV1, Some(deflate)) = (frame.rsv, &mut self.deflate) {
            self.deflated_bytes = Some(frame.payload.len());
            frame.payload = deflate.inflate(&frame.payload).into();
            frame.rsv = 0;
        }
    }

    /// Cancel-safe: bytes that were read stay.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(mut frame) = Frame::parse(&mut self.inbound) {
                self.inflate(&mut frame);
                frame.assert_legal_from_server();
                return Some(frame);
            }
            match self.stream.as_mut()?.read_buf(&mut self.inbound).await {
                Ok(1..) => {}
                // A reset ends the connection like a FIN does.
                _ => {
                    self.stream = None;
                    return None;
                }
            }
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("is_connected", &self.stream.is_some())
            .field("inbound", &self.inbound)
            .finish_non_exhaustive()
    }
}

/// Frames behind each other.
pub(crate) fn together(frames: impl IntoIterator<Item = Frame>) -> Bytes {
    let mut bytes = BytesMut::new();
    for frame in frames {
        bytes.extend_from_slice(&frame.to_bytes());
    }
    bytes.freeze()
}
