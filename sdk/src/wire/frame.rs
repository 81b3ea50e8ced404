//! Frame headers ([RFC 6455 §5.2](https://www.rfc-editor.org/rfc/rfc6455#section-5.2)).

use crate::{
    message::{Error, MAX_CONTROL_BYTES},
    wire::violation::protocol,
};

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpCode {
    /// The next fragment of a message.
    Continuation,
    /// The first or only fragment of a text message.
    Text,
    /// The first or only fragment of a binary message.
    Binary,
    /// A close frame.
    Close,
    /// A ping.
    Ping,
    /// A pong.
    Pong,
}

impl OpCode {
    /// The four bits on the wire.
    pub const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xA => Some(Self::Pong),
            _ => None,
        }
    }

    /// The first byte of a frame that is a whole message.
    pub(crate) const fn whole(self) -> u8 {
        0x80 | self.bits()
    }

    pub(crate) const fn is_control(self) -> bool {
        self.bits() & 0x8 != 0
    }
}

/// The bit that marks the first frame of a compressed message.
pub(super) const RSV1: u8 = 0x40;

/// Which side wrote the bytes that are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A client: its frames must be masked.
    Client,
    /// A server: its frames must not be.
    Server,
}

/// A parsed and checked header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(super) fin: bool,
    pub(crate) opcode: OpCode,
    /// The message that it begins is compressed.
    pub(super) is_deflated: bool,
    pub(super) mask: [u8; 4],
    pub(crate) payload_bytes: u64,
    /// How many bytes the header itself takes.
    pub(crate) head_bytes: u8,
}

impl Head {
    /// Parses a header as soon as enough bytes are there, and refuses it as early as they show
    /// that it is wrong. With `may_deflate`, messages may be compressed.
    #[inline]
    pub(crate) fn parse(
        bytes: &[u8],
        origin: Origin,
        may_deflate: bool,
    ) -> Result<Option<Self>, Error> {
        let &[first, ..] = bytes else {
            return Ok(None);
        };
        let is_deflated = first & RSV1 != 0;
        let begins_message = matches!(first & 0x0F, 0x1 | 0x2);
        if first & 0x30 != 0 || (is_deflated && !(may_deflate && begins_message)) {
            return Err(protocol(
                "WHARF_RESERVED_BITS",
                "reserved bits are set that no extension was negotiated for; clear them, or set \
                 the first at the beginning of a compressed message alone",
            ));
        }
        let fin = first & 0x80 != 0;
        let Some(opcode) = OpCode::from_bits(first & 0x0F) else {
            return Err(protocol(
                "WHARF_RESERVED_OPCODE",
                "the opcode is reserved; send text, binary, close, ping or pong",
            ));
        };
        let &[_, second, ..] = bytes else {
            return Ok(None);
        };
        let masked = second & 0x80 != 0;
        check_masking(masked, origin)?;
        let short = second & 0x7F;
        if opcode.is_control() {
            check_control(fin, short)?;
        }

        let (payload_bytes, length_end) = match short {
            126 => match bytes[2..].first_chunk() {
                Some(raw) => (u64::from(u16::from_be_bytes(*raw)), 4),
                None => return Ok(None),
            },
            127 => match bytes[2..].first_chunk() {
                Some(raw) => (u64::from_be_bytes(*raw), 10),
                None => return Ok(None),
            },
            short => (u64::from(short), 2),
        };
        if payload_bytes >> 63 != 0 {
            return Err(protocol(
                "WHARF_INVALID_LENGTH",
                "the payload length has its top bit set; send a 63-bit length",
            ));
        }
        let (mask, mask_bytes) = if masked {
            match bytes[usize::from(length_end)..].first_chunk() {
                Some(mask) => (*mask, 4),
                None => return Ok(None),
            }
        } else {
            ([0; 4], 0)
        };
        Ok(Some(Self {
            fin,
            opcode,
            is_deflated,
            mask,
            payload_bytes,
            head_bytes: length_end + mask_bytes,
        }))
    }
}

fn check_masking(masked: bool, origin: Origin) -> Result<(), Error> {
    match origin {
        Origin::Client if !masked => Err(protocol(
            "WHARF_UNMASKED_FRAME",
            "a client must mask its frames; set the mask bit and a random key",
        )),
        Origin::Server if masked => Err(protocol(
            "WHARF_MASKED_FRAME",
            "a server must not mask its frames",
        )),
        _ => Ok(()),
    }
}

fn check_control(fin: bool, short: u8) -> Result<(), Error> {
    if !fin {
        return Err(protocol(
            "WHARF_FRAGMENTED_CONTROL",
            "a control frame must not be fragmented; send it whole",
        ));
    }
    if usize::from(short) > MAX_CONTROL_BYTES {
        return Err(protocol(
            "WHARF_OVERSIZED_CONTROL",
            "a control frame carries at most 125 bytes; send less",
        ));
    }
    Ok(())
}
