//! What travels: messages, close frames, errors, ids. The ground floor: it uses nothing else of this
//! crate.

mod close;
mod content;
#[cfg_attr(
    not(feature = "deflate"),
    allow(dead_code, reason = "only compressing makes an encoding in slices")
)]
mod encoding;
mod error;
mod id;
mod panic;
mod shared;

#[cfg(feature = "deflate")]
pub(crate) use self::encoding::Progress;
pub(crate) use self::{close::MAX_CONTROL_BYTES, encoding::Encoding, panic::catch};
pub use self::{
    close::{CloseCode, CloseFrame, CloseOutcome, Initiator, InvalidClose, MAX_REASON_BYTES},
    content::{Message, MessageKind, UnknownFrame},
    error::{BoxError, Error, ErrorKind, Issue, Phase, Result},
    id::ConnectionId,
    shared::SharedMessage,
};
