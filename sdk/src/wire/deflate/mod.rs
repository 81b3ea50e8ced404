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

#[cfg(not(feature = "deflate"))]
pub(super) use self::absent::{Deflater, Inflater, Inflating};
#[cfg(feature = "deflate")]
pub(super) use self::{
    deflater::Deflater,
    inflater::{Inflater, Inflating},
};

/// What follows from a piece of input.
pub(super) struct Step {
    /// How much of the input was taken.
    pub(super) taken_bytes: usize,
    /// How much is in the output.
    pub(super) made_bytes: usize,
}

/// A payload that is ready to be framed.
#[derive(Debug)]
pub(super) struct Framed {
    pub(super) is_deflated: bool,
    pub(super) payload: Bytes,
}

impl Framed {
    pub(super) fn plain(payload: Bytes) -> Self {
        Self {
            is_deflated: false,
            payload,
        }
    }

    pub(super) fn deflated(payload: Bytes) -> Self {
        Self {
            is_deflated: true,
            payload,
        }
    }
}
