//! permessage-deflate ([RFC 7692](https://www.rfc-editor.org/rfc/rfc7692)): what a route wants, and
//! what it and its peer agree on.

mod extensions;
mod negotiation;
mod params;
#[cfg(any(test, fuzzing))]
pub(crate) mod properties;

use serde::Serialize;

pub(crate) use self::extensions::{Extension, parse_extensions};
pub use self::params::{DeflateParams, DeflateSide};
use crate::message::{Error, Result};

/// The largest window of the format, and what a side has that says nothing.
pub(crate) const MAX_WINDOW_BITS: u8 = 15;

/// How the messages of a route are compressed: permessage-deflate, for peers that offer it.
///
/// Off unless a route, its group or its app sets it. With the defaults a socket that has nothing to
/// say holds no memory for it: every message is compressed by itself, with a compressor that its
/// thread lends. Context takeover lets a message refer to those before it, which is worth most for
/// many small messages of one shape; it costs the windows, up to 4 KiB each way at 12 bits and
/// 32 KiB at 15.
///
/// Never compress a secret beside text that an attacker chooses: the length of what leaves tells
/// what the two have in common (the CRIME and BREACH attacks). The tour has a page on it.
///
/// ```
/// use wharf_sdk::{App, Compression, Configure, Route};
/// # use wharf_sdk::{Result, Socket};
/// # async fn feed(mut socket: Socket) -> Result<()> {
/// #     socket.write("{}").await
/// # }
/// # fn main() -> Result<()> {
/// let app = App::builder()
///     .compression(Compression::new())
///     .route(Route::new("/feed", feed))
///     .route(Route::new("/ticks", feed).compression(Compression::new().takeover(true).window_bits(12)))
///     .route(Route::new("/secrets", feed).compression(None))
///     .build()?;
/// assert_eq!(app.routes().iter().filter(|route| route.compression).count(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[must_use = "give it to an app, a group or a route"]
pub struct Compression {
    threshold_bytes: usize,
    level: u8,
    memory_level: u8,
    outbound: DeflateSide,
    inbound: DeflateSide,
}

impl Default for Compression {
    fn default() -> Self {
        let side = DeflateSide {
            takeover: false,
            window_bits: MAX_WINDOW_BITS,
        };
        Self {
            threshold_bytes: 1024,
            level: 2,
            memory_level: 8,
            outbound: side,
            inbound: side,
        }
    }
}

impl Compression {
    /// Messages of 1 KiB and more at level 2, without context takeover.
    pub fn new() -> Self {
        Self::default()
    }

    /// Messages that are smaller leave as they are. Default 1 KiB; with context takeover, 64 bytes
    /// are worth it too.
    pub fn threshold_bytes(mut self, bytes: usize) -> Self {
        self.threshold_bytes = bytes;
        self
    }

    /// From 1, fast, to 9, small. Default 2: beyond it, JSON takes twice the time for a tenth
    /// less.
    pub fn level(mut self, level: u8) -> Self {
        self.level = level;
        self
    }

    /// From 1 to 9: how much memory a lent compressor has for what it has not written yet.
    /// Default 8. It is a thread's memory, not a socket's.
    pub fn memory_level(mut self, level: u8) -> Self {
        self.memory_level = level;
        self
    }

    /// Whether messages may refer to earlier ones, in both directions. Default: no.
    pub fn takeover(self, takeover: bool) -> Self {
        self.outbound_takeover(takeover).inbound_takeover(takeover)
    }

    /// Whether what is sent may refer to what was sent before. A socket then keeps what its last
    /// messages were made of, as much as the window holds.
    pub fn outbound_takeover(mut self, takeover: bool) -> Self {
        self.outbound.takeover = takeover;
        self
    }

    /// The same for what is received.
    pub fn inbound_takeover(mut self, takeover: bool) -> Self {
        self.inbound.takeover = takeover;
        self
    }

    /// How far a message may refer back, in both directions: 2 to the power of it, in bytes. From 9
    /// to 15, the default.
    pub fn window_bits(self, bits: u8) -> Self {
        self.outbound_window_bits(bits).inbound_window_bits(bits)
    }

    /// The same for what is sent.
    pub fn outbound_window_bits(mut self, bits: u8) -> Self {
        self.outbound.window_bits = bits;
        self
    }

    /// The same for what is received. A peer that cannot be told, because its offer does not say
    /// that it would listen, gets no context takeover.
    pub fn inbound_window_bits(mut self, bits: u8) -> Self {
        self.inbound.window_bits = bits;
        self
    }

    pub(super) fn check(&self, max_outbound_message_bytes: usize) -> Result<()> {
        let refuse = |problem: String| Err(Error::config(format!("compression: {problem}")));
        for (name, value, least, most) in [
            ("level", self.level, 1, 9),
            ("memory_level", self.memory_level, 1, 9),
            ("outbound_window_bits", self.outbound.window_bits, 9, 15),
            ("inbound_window_bits", self.inbound.window_bits, 9, 15),
        ] {
            if !(least..=most).contains(&value) {
                return refuse(format!("{name} is {value}; give it {least} to {most}"));
            }
        }
        if self.threshold_bytes > max_outbound_message_bytes {
            return refuse(format!(
                "threshold_bytes ({}) is over max_outbound_message_bytes \
                 ({max_outbound_message_bytes}), so that nothing would be compressed; lower it or \
                 leave compression out",
                self.threshold_bytes
            ));
        }
        Ok(())
    }

    fn agreed(&self, ours: DeflateSide, peers: DeflateSide) -> DeflateParams {
        DeflateParams {
            ours,
            peers,
            threshold_bytes: self.threshold_bytes,
            level: self.level,
            memory_level: self.memory_level,
        }
    }
}
