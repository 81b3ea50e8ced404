//! Close codes, close frames, and how a session ended.

use std::fmt;

use bytestring::ByteString;

/// A close status code ([RFC 6455 §7.4](https://www.rfc-editor.org/rfc/rfc6455#section-7.4)).
///
/// Any number can be held, because peers send any number; [`CloseFrame::new`] refuses those that
/// may not be sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// The endpoint goes away: a server shuts down, a page is left, a peer was idle too long.
    pub const GOING_AWAY: Self = Self(1001);
    /// A protocol violation.
    pub const PROTOCOL: Self = Self(1002);
    /// A kind of data that the endpoint cannot accept.
    pub const UNSUPPORTED: Self = Self(1003);
    /// Reported, never sent: the close frame carried no code.
    pub const NO_STATUS: Self = Self(1005);
    /// Reported, never sent: the connection ended without a close frame.
    pub const ABNORMAL: Self = Self(1006);
    /// Data that does not fit its message type, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// A message that violates a policy.
    pub const POLICY: Self = Self(1008);
    /// A message that is too big.
    pub const TOO_BIG: Self = Self(1009);
    /// The client expected an extension.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// The server met an unexpected condition.
    pub const INTERNAL: Self = Self(1011);
    /// The service restarts; reconnect, after a random delay.
    pub const RESTART: Self = Self(1012);
    /// The service is overloaded; try again later.
    pub const TRY_AGAIN: Self = Self(1013);
    /// A gateway got an invalid response from upstream.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// Makes a code from its number.
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// The number.
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// Whether an endpoint may put this code into a close frame: 1000–1003, 1007–1014 and
    /// 3000–4999.
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

/// The largest payload of a control frame
/// ([RFC 6455 §5.5](https://www.rfc-editor.org/rfc/rfc6455#section-5.5)).
pub(crate) const MAX_CONTROL_BYTES: usize = 125;

/// The longest reason that fits a close frame, whose code takes two bytes of it.
pub const MAX_REASON_BYTES: usize = MAX_CONTROL_BYTES - 2;

/// A close code with its reason, both of which may be sent: there is no other way to make one.
///
/// ```
/// use wharf_sdk::{CloseCode, CloseFrame};
///
/// let frame = CloseFrame::new(CloseCode::RESTART, "back in a minute").expect("may be sent");
/// assert_eq!(frame.code().as_u16(), 1012);
/// assert!(CloseFrame::new(1006, "").is_err()); // only ever reported
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CloseFrame(Box<Content>);

/// Boxed, since a session has one at its end, and many places that might hold it.
#[derive(Clone, PartialEq, Eq)]
struct Content {
    code: CloseCode,
    reason: ByteString,
}

impl CloseFrame {
    /// Makes a frame that may be sent.
    ///
    /// # Errors
    ///
    /// [`InvalidClose::Code`] for a code that may not be sent ([`CloseCode::is_sendable`]),
    /// [`InvalidClose::Reason`] for a reason over [`MAX_REASON_BYTES`]. Both become an
    /// [`Error`](crate::Error) by `?`: `WHARF_CLOSE_CODE` and `WHARF_CLOSE_REASON`.
    pub fn new(
        code: impl Into<CloseCode>,
        reason: impl Into<ByteString>,
    ) -> Result<Self, InvalidClose> {
        let (code, reason) = (code.into(), reason.into());
        if !code.is_sendable() {
            return Err(InvalidClose::Code(code));
        }
        if reason.len() > MAX_REASON_BYTES {
            return Err(InvalidClose::Reason {
                bytes: reason.len(),
            });
        }
        Ok(Self(Box::new(Content { code, reason })))
    }

    /// Makes a frame from a code that is known to be sendable, cutting the reason at a character
    /// boundary if it is too long.
    pub(crate) fn cut(code: CloseCode, reason: &str) -> Self {
        debug_assert!(code.is_sendable());
        let reason = cut_reason(reason).into();
        Self(Box::new(Content { code, reason }))
    }

    /// The code.
    pub fn code(&self) -> CloseCode {
        self.0.code
    }

    /// The reason, empty if none was given.
    pub fn reason(&self) -> &ByteString {
        &self.0.reason
    }
}

impl fmt::Debug for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloseFrame")
            .field("code", &self.0.code)
            .field("reason", &self.0.reason)
            .finish()
    }
}

/// Why a close frame cannot be made.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidClose {
    /// The code may not be sent.
    Code(CloseCode),
    /// The reason does not fit.
    Reason {
        /// Its length.
        bytes: usize,
    },
}

impl fmt::Display for InvalidClose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(
                f,
                "close code {code} may not be sent; use 1000-1003, 1007-1014 or one of your own \
                 from 3000-4999"
            ),
            Self::Reason { bytes } => write!(
                f,
                "a close reason of {bytes} bytes does not fit; shorten it to {MAX_REASON_BYTES}"
            ),
        }
    }
}

impl std::error::Error for InvalidClose {}

/// The longest prefix of `reason` that fits a close frame and ends at a character boundary.
pub(crate) fn cut_reason(reason: &str) -> &str {
    if reason.len() <= MAX_REASON_BYTES {
        return reason;
    }
    let mut end = MAX_REASON_BYTES;
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

/// Who began the end of a session.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Initiator {
    /// The peer: it sent the first close frame, or vanished.
    Peer,
    /// The handler: it closed the socket, returned, failed or panicked.
    Handler,
    /// The server, or a client's own engine: a violated limit, a timer, a shutdown.
    Server,
}

impl Initiator {
    /// The lower-case name, as logs and metrics show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Handler => "handler",
            Self::Server => "server",
        }
    }
}

impl fmt::Display for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a session ended. Every session has exactly one.
///
/// ```
/// use wharf_sdk::{CloseCode, Initiator};
/// # use wharf_sdk::{App, Result, Route, Socket, testing::{Recorder, TestHost}};
/// # async fn echo(mut socket: Socket) -> Result<()> {
/// #     while let Some(message) = socket.read().await? {
/// #         socket.write(message).await?;
/// #     }
/// #     Ok(())
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// # let recorder = Recorder::default();
/// # let app = App::builder().observer(recorder.clone()).route(Route::new("/echo", echo)).build()?;
/// # let host = TestHost::new(app);
/// let mut client = host.connect("/echo").await;
/// client.close(4000, "bye").await;
/// client.expect_end().await;
/// # tokio::task::yield_now().await;
///
/// let outcome = recorder.outcomes().remove(0);
/// assert_eq!((outcome.code, &*outcome.reason), (CloseCode::new(4000), "bye"));
/// assert_eq!((outcome.clean, outcome.initiator), (true, Initiator::Peer));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseOutcome {
    /// The code of the close frame that began the end; 1005 if it carried none, 1006 if the
    /// connection ended without one.
    pub code: CloseCode,
    /// The reason in that frame.
    pub reason: ByteString,
    /// Whether both sides sent a close frame.
    pub clean: bool,
    /// Who began it.
    pub initiator: Initiator,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsendable_codes_are_refused() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            let error = CloseFrame::new(code, "").expect_err("may not be sent");
            assert_eq!(error, InvalidClose::Code(code.into()));
        }
        for code in [1000, 1003, 1007, 1014, 3000, 4999] {
            CloseFrame::new(code, "").expect("may be sent");
        }
    }

    #[test]
    fn long_reasons_are_refused_or_cut_at_a_character() {
        let long = "é".repeat(62);
        let error = CloseFrame::new(1000, long.as_str()).expect_err("124 bytes");
        assert_eq!(error, InvalidClose::Reason { bytes: 124 });
        assert_eq!(cut_reason(&long).len(), 122);
    }
}
