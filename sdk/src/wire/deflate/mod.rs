//! Payloads, deflated and inflated ([RFC 7692 §7.2](https://www.rfc-editor.org/rfc/rfc7692#section-7.2)).
//!
//! A socket holds no compressor. Its thread lends one for as long as a piece of a message takes;
//! what carries over from message to message is the window, the last few KiB that were said, which
//! every compressor can begin with. So a socket without context takeover holds nothing between
//! messages, one with it holds its windows, and a message that turns out to grow can leave as it is
//! without a trace. Where the `deflate` feature is off, the types are there and have no values.

#[cfg(not(feature = "deflate"))]
mod absent;
#[cfg(feature = "deflate")]
mod deflater;
#[cfg(feature = "deflate")]
mod inflater;
#[cfg(feature = "deflate")]
mod lent;
#[cfg(all(any(test, fuzzing), feature = "deflate"))]
pub(crate) mod properties;
#[cfg(feature = "deflate")]
mod window;

use bytes::Bytes;

use crate::wire::frame::OpCode;

#[cfg(not(feature = "deflate"))]
pub(crate) use self::absent::{Deflater, Inflater, Inflating};
#[cfg(feature = "deflate")]
pub(crate) use self::{
    deflater::Deflater,
    inflater::{Inflater, Inflating},
};

/// What follows from a piece of input.
pub(crate) struct Step {
    /// How much of the input was taken.
    pub(crate) taken_bytes: usize,
    /// How much is in the output.
    pub(crate) made_bytes: usize,
}

/// A large message that is ready.
#[cfg_attr(
    not(feature = "deflate"),
    allow(dead_code, reason = "nothing is made of a large message then")
)]
pub(crate) enum Large {
    /// To be framed.
    Own(OpCode, Framed),
    /// Framed, once for all that send it.
    Shared(Bytes),
}

/// A payload that is ready to be framed.
#[derive(Debug)]
pub(crate) struct Framed {
    pub(crate) is_deflated: bool,
    pub(crate) payload: Bytes,
}

impl Framed {
    pub(crate) fn plain(payload: Bytes) -> Self {
        Self {
            is_deflated: false,
            payload,
        }
    }

    pub(crate) fn deflated(payload: Bytes) -> Self {
        Self {
            is_deflated: true,
            payload,
        }
    }
}
