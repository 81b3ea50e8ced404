//! What nodes say to each other.
//!
//! ```text
//! "WF" | version | kind | crc32 of all but itself (4) | header's length (2) | header | body
//! ```
//!
//! Numbers are big-endian. A header begins with the node that sends and the frame's number. A reader
//! takes from a header what it knows and leaves the rest, so that the next release can add to it and
//! both run side by side; what a reader cannot leave out is a new [version](FORMAT), which older nodes
//! count and pass over.

use bytes::{BufMut, Bytes, BytesMut};
use wharf_sdk::{ByteString, Message};

use crate::{
    bus::FORMAT,
    words::{Member, NodeId, SessionId},
};

const MAGIC: [u8; 2] = *b"WF";
const PREFIX_BYTES: usize = 10;
/// More than what stands around a payload.
pub(crate) const OVERHEAD_BYTES: usize = 128;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    pub(crate) origin: NodeId,
    /// Counts what the node says, in whichever room.
    pub(crate) number: u64,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    /// A message to a room.
    Publish {
        /// The number of what the node published in this room before, or 0 if it does not know.
        previous: u64,
        except: Option<SessionId>,
        message: Message,
    },
    Joined(Member),
    Changed(Member),
    Left(SessionId),
    /// A node has shut down.
    Gone,
    /// A node has begun: so nodes of other versions hear of it.
    Here,
    /// Everybody whose principal has this id is to be closed.
    Disconnect {
        principal: String,
        code: u16,
        reason: ByteString,
    },
    /// A message to every session.
    Broadcast(Message),
}

impl What {
    fn kind(&self) -> u8 {
        match self {
            Self::Publish { .. } => 1,
            Self::Joined(_) => 2,
            Self::Changed(_) => 3,
            Self::Left(_) => 4,
            Self::Gone => 5,
            Self::Disconnect { .. } => 6,
            Self::Broadcast(_) => 7,
            Self::Here => 8,
        }
    }
}

impl Frame {
    pub(crate) fn encode(&self) -> Bytes {
        let mut header = BytesMut::with_capacity(64);
        header.put_u64(self.origin.as_u64());
        header.put_u64(self.number);
        let mut body = Bytes::new();
        match &self.what {
            What::Publish {
                previous,
                except,
                message,
            } => {
                header.put_u64(*previous);
                header.put_u64(except.map_or(0, |session| session.node.as_u64()));
                header.put_u64(except.map_or(0, |session| session.connection));
                body = put_message(&mut header, message);
            }
            What::Joined(member) | What::Changed(member) => body = member.to_record(),
            What::Left(session) => header.put_u64(session.connection),
            What::Gone | What::Here => {}
            What::Disconnect {
                principal,
                code,
                reason,
            } => {
                header.put_u16(*code);
                header.put_u16(u16::try_from(reason.len()).unwrap_or_default());
                header.put_slice(reason.as_bytes());
                body = Bytes::copy_from_slice(principal.as_bytes());
            }
            What::Broadcast(message) => body = put_message(&mut header, message),
        }
        let mut frame = BytesMut::with_capacity(PREFIX_BYTES + header.len() + body.len());
        frame.put_slice(&MAGIC);
        frame.put_u8(FORMAT);
        frame.put_u8(self.what.kind());
        frame.put_u32(0);
        frame.put_u16(u16::try_from(header.len()).unwrap_or_default());
        frame.put_slice(&header);
        frame.put_slice(&body);
        let sum = checksum(&frame);
        frame[4..8].copy_from_slice(&sum.to_be_bytes());
        frame.freeze()
    }

    /// Reads a frame, or says why it is none. The message shares the frame's memory.
    pub(crate) fn decode(frame: &Bytes) -> Result<Self, &'static str> {
        if frame.len() < PREFIX_BYTES || frame[..2] != MAGIC {
            return Err("it is not one of Wharf's frames");
        }
        if frame[2] != FORMAT {
            return Err("its version is not spoken here");
        }
        let sum = u32::from_be_bytes([frame[4], frame[5], frame[6], frame[7]]);
        if sum != checksum(frame) {
            return Err("it was damaged on the way");
        }
        let header_bytes = usize::from(u16::from_be_bytes([frame[8], frame[9]]));
        let body_at = PREFIX_BYTES + header_bytes;
        if body_at > frame.len() {
            return Err("it is shorter than it says");
        }
        let mut header = Reader(&frame[PREFIX_BYTES..body_at]);
        let body = frame.slice(body_at..);
        Self::parse(frame[3], &mut header, body).ok_or("its parts do not fit its kind")
    }

    fn parse(kind: u8, header: &mut Reader<'_>, body: Bytes) -> Option<Self> {
        let origin = NodeId::from_u64(header.u64()?);
        let number = header.u64()?;
        let what = match kind {
            1 => What::Publish {
                previous: header.u64()?,
                except: match (header.u64()?, header.u64()?) {
                    (0, _) => None,
                    (node, connection) => Some(SessionId {
                        node: NodeId::from_u64(node),
                        connection,
                    }),
                },
                message: take_message(header, body)?,
            },
            2 | 3 => {
                let member = Member::from_record(&body)?;
                if member.session.node != origin {
                    return None;
                }
                match kind {
                    2 => What::Joined(member),
                    _ => What::Changed(member),
                }
            }
            4 => What::Left(SessionId {
                node: origin,
                connection: header.u64()?,
            }),
            5 => What::Gone,
            6 => What::Disconnect {
                code: header.u16()?,
                reason: {
                    let bytes = header.u16()?;
                    let reason = header.take(usize::from(bytes))?;
                    std::str::from_utf8(reason).ok()?.into()
                },
                principal: String::from_utf8(body.to_vec()).ok()?,
            },
            7 => What::Broadcast(take_message(header, body)?),
            8 => What::Here,
            _ => return None,
        };
        Some(Self {
            origin,
            number,
            what,
        })
    }
}

fn checksum(frame: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&frame[..4]);
    sum.update(&frame[8..]);
    sum.finalize()
}

/// Writes a message's kind, and returns its payload.
fn put_message(header: &mut BytesMut, message: &Message) -> Bytes {
    match message {
        Message::Text(text) => {
            header.put_u8(1);
            text.as_bytes().clone()
        }
        Message::Binary(bytes) => {
            header.put_u8(2);
            bytes.clone()
        }
        // Refused before it gets here.
        _ => {
            header.put_u8(0);
            Bytes::new()
        }
    }
}

fn take_message(header: &mut Reader<'_>, body: Bytes) -> Option<Message> {
    match header.take(1)? {
        [1] => ByteString::try_from(body).ok().map(Message::Text),
        [2] => Some(Message::Binary(body)),
        _ => None,
    }
}

/// Takes from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn frames() -> Vec<Frame> {
        let origin = NodeId::random();
        let session = SessionId {
            node: origin,
            connection: 7,
        };
        let member = Member::new(session, Some("alice".into()), serde_json::json!({"a": 1}));
        [
            What::Publish {
                previous: 2,
                except: Some(session),
                message: Message::text("hé"),
            },
            What::Publish {
                previous: 0,
                except: None,
                message: Message::binary(vec![0, 255]),
            },
            What::Joined(member.clone()),
            What::Changed(member),
            What::Left(session),
            What::Gone,
            What::Here,
            What::Disconnect {
                principal: "alice".to_owned(),
                code: 4000,
                reason: "bye".into(),
            },
            What::Broadcast(Message::text("")),
        ]
        .into_iter()
        .zip(3..)
        .map(|(what, number)| Frame {
            origin,
            number,
            what,
        })
        .collect()
    }

    #[test]
    fn what_is_written_is_read() {
        for frame in frames() {
            assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
        }
    }

    #[test]
    fn no_byte_can_be_damaged_or_lost_unnoticed() {
        for frame in frames() {
            let whole = frame.encode();
            for at in 0..whole.len() {
                let mut damaged = whole.to_vec();
                damaged[at] ^= 0x55;
                let read = Frame::decode(&damaged.into());
                assert!(read.is_err(), "byte {at} of {frame:?}");
                assert!(Frame::decode(&whole.slice(..at)).is_err());
            }
        }
    }

    #[test]
    fn a_later_release_may_add_to_headers() {
        let frame = &frames()[0];
        let mut bytes = frame.encode().to_vec();
        let header_bytes = usize::from(u16::from_be_bytes([bytes[8], bytes[9]]));
        let end = PREFIX_BYTES + header_bytes;
        bytes.splice(end..end, *b"new");
        bytes[8..10].copy_from_slice(&(header_bytes as u16 + 3).to_be_bytes());
        let sum = checksum(&bytes);
        bytes[4..8].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(Frame::decode(&bytes.into()).as_ref(), Ok(frame));
    }

    #[test]
    fn another_version_is_passed_over() {
        let mut bytes = frames()[0].encode().to_vec();
        bytes[2] = FORMAT + 1;
        let read = Frame::decode(&bytes.into());
        assert_eq!(read, Err("its version is not spoken here"));
    }

    #[test]
    fn arbitrary_bytes_are_refused_quietly() {
        arbtest::arbtest(|u| {
            let mut bytes: Vec<u8> = u.arbitrary()?;
            if u.ratio(3, 4)? && bytes.len() > PREFIX_BYTES {
                bytes[..3].copy_from_slice(b"WF\x01");
                bytes[3] %= 10;
                let sum = checksum(&bytes);
                bytes[4..8].copy_from_slice(&sum.to_be_bytes());
            }
            if let Ok(frame) = Frame::decode(&bytes.into()) {
                assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
            }
            Ok(())
        })
        .budget_ms(300);
    }
}
