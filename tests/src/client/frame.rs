//! Frames, legal and not ([RFC 6455 §5.2](https://www.rfc-editor.org/rfc/rfc6455#section-5.2)).

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Opcodes by name.
pub mod opcode {
    /// Goes on with a fragmented message.
    pub const CONTINUATION: u8 = 0;
    /// Text.
    pub const TEXT: u8 = 1;
    /// Binary.
    pub const BINARY: u8 = 2;
    /// Close.
    pub const CLOSE: u8 = 8;
    /// Ping.
    pub const PING: u8 = 9;
    /// Pong.
    pub const PONG: u8 = 10;
}

/// One frame, with every bit of its head at hand.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// Whether it is the last of its message.
    pub fin: bool,
    /// The three reserved bits.
    pub rsv: u8,
    /// The opcode.
    pub opcode: u8,
    /// The masking key; clients must have one and servers must not.
    pub mask: Option<[u8; 4]>,
    /// The payload, unmasked.
    pub payload: Bytes,
    /// The length in the head, if it is another than the payload's.
    pub announced: Option<u64>,
}

impl Frame {
    /// A whole, masked message of this opcode.
    pub fn new(opcode: u8, payload: impl Into<Bytes>) -> Self {
        Self {
            fin: true,
            rsv: 0,
            opcode,
            mask: Some([0x12, 0x34, 0x56, 0x78]),
            payload: payload.into(),
            announced: None,
        }
    }

    /// A text message.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(opcode::TEXT, text.into())
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::new(opcode::BINARY, bytes)
    }

    /// The last fragment of a message.
    pub fn continuation(bytes: impl Into<Bytes>) -> Self {
        Self::new(opcode::CONTINUATION, bytes)
    }

    /// A ping.
    pub fn ping(payload: impl Into<Bytes>) -> Self {
        Self::new(opcode::PING, payload)
    }

    /// A pong.
    pub fn pong(payload: impl Into<Bytes>) -> Self {
        Self::new(opcode::PONG, payload)
    }

    /// A close with code and reason.
    pub fn close(code: u16, reason: impl AsRef<[u8]>) -> Self {
        let mut payload = BytesMut::new();
        payload.put_u16(code);
        payload.put_slice(reason.as_ref());
        Self::new(opcode::CLOSE, payload)
    }

    /// The same with more fragments to come.
    #[must_use]
    pub fn unfinished(mut self) -> Self {
        self.fin = false;
        self
    }

    /// The same with these reserved bits.
    #[must_use]
    pub fn reserved(mut self, bits: u8) -> Self {
        self.rsv = bits;
        self
    }

    /// The same without a mask.
    #[must_use]
    pub fn unmasked(mut self) -> Self {
        self.mask = None;
        self
    }

    /// The same with another length in its head.
    #[must_use]
    pub fn announcing(mut self, bytes: u64) -> Self {
        self.announced = Some(bytes);
        self
    }

    /// The text of the payload.
    ///
    /// # Panics
    ///
    /// If it is none.
    pub fn as_text(&self) -> &str {
        std::str::from_utf8(&self.payload).expect("a server's text is UTF-8")
    }

    /// Code and reason of a close; 1005 if it has none.
    pub fn close_code_and_reason(&self) -> (u16, &str) {
        match &*self.payload {
            [high, low, reason @ ..] => (
                u16::from_be_bytes([*high, *low]),
                std::str::from_utf8(reason).expect("a server's reason is UTF-8"),
            ),
            _ => (1005, ""),
        }
    }

    /// The frame as it goes over the wire.
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(14 + self.payload.len());
        bytes.put_u8(u8::from(self.fin) << 7 | self.rsv << 4 | self.opcode);
        let mask_bit = u8::from(self.mask.is_some()) << 7;
        match self.announced.unwrap_or(self.payload.len() as u64) {
            length @ 0..=125 => bytes.put_u8(mask_bit | length as u8),
            length @ 126..=0xFFFF => {
                bytes.put_u8(mask_bit | 126);
                bytes.put_u16(length as u16);
            }
            length => {
                bytes.put_u8(mask_bit | 127);
                bytes.put_u64(length);
            }
        }
        let Some(mask) = self.mask else {
            bytes.put_slice(&self.payload);
            return bytes.freeze();
        };
        bytes.put_slice(&mask);
        bytes.extend(
            self.payload
                .iter()
                .zip(mask.iter().cycle())
                .map(|(byte, key)| byte ^ key),
        );
        bytes.freeze()
    }

    /// Takes a frame off the front, if it is there whole.
    pub fn parse(bytes: &mut BytesMut) -> Option<Self> {
        let (first, second) = (*bytes.first()?, *bytes.get(1)?);
        let mut head = bytes.get(2..)?;
        let length = match second & 0x7F {
            126 => u64::from(head.try_get_u16().ok()?),
            127 => head.try_get_u64().ok()?,
            length => u64::from(length),
        };
        let is_masked = second & 0x80 != 0;
        let mask = if is_masked {
            Some(head.try_get_u32().ok()?.to_be_bytes())
        } else {
            None
        };
        let payload_bytes = usize::try_from(length).expect("a length that fits");
        if head.len() < payload_bytes {
            return None;
        }
        bytes.advance(bytes.len() - head.len());
        Some(Self {
            fin: first & 0x80 != 0,
            rsv: first >> 4 & 0x7,
            opcode: first & 0xF,
            mask,
            payload: bytes.split_to(payload_bytes).freeze(),
            announced: None,
        })
    }

    /// Takes the mask off the payload; whether there was one.
    pub(crate) fn unmask(&mut self) -> bool {
        let Some(mask) = self.mask.take() else {
            return false;
        };
        let payload = self.payload.iter().zip(mask.iter().cycle());
        self.payload = payload.map(|(byte, key)| byte ^ key).collect();
        true
    }

    /// Asserts what holds for every frame of every server.
    pub(super) fn assert_legal_from_server(&self) {
        assert_eq!(self.rsv, 0, "a reserved bit was not negotiated: {self:?}");
        assert!(self.mask.is_none(), "a server masks nothing: {self:?}");
        assert!(
            matches!(self.opcode, 0..=2 | 8..=10),
            "a reserved opcode: {self:?}"
        );
        if self.opcode >= 8 {
            assert!(self.fin, "a control frame is never fragmented: {self:?}");
            assert!(
                self.payload.len() <= 125,
                "a control frame is small: {self:?}"
            );
        }
        if self.opcode == opcode::CLOSE && !self.payload.is_empty() {
            let (code, _) = self.close_code_and_reason();
            let is_sendable = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            assert!(is_sendable, "a code that may not be sent: {self:?}");
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_BYTES: usize = 80;
        let name = match self.opcode {
            opcode::CONTINUATION => "continuation",
            opcode::TEXT => "text",
            opcode::BINARY => "binary",
            opcode::CLOSE => {
                let code = self.payload.get(..2).unwrap_or_default();
                let code = code
                    .iter()
                    .fold(0, |code, byte| code << 8 | u32::from(*byte));
                let reason = String::from_utf8_lossy(self.payload.get(2..).unwrap_or_default());
                return write!(f, "close {code} {reason:?}");
            }
            opcode::PING => "ping",
            opcode::PONG => "pong",
            other => return write!(f, "opcode {other}, {} bytes", self.payload.len()),
        };
        let shown = &self.payload[..self.payload.len().min(SHOWN_BYTES)];
        let shown = String::from_utf8_lossy(shown);
        let fin = if self.fin { "" } else { ", unfinished" };
        write!(f, "{name} of {} bytes{fin}: {shown:?}", self.payload.len())
    }
}
