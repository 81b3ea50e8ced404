//! How a connection ended, and whether another one is worth it.

use std::{fmt, time::Duration};

use wharf_sdk::{CloseCode, CloseOutcome, Error, Initiator};

use crate::rejected::Rejected;

/// How a connection, or the try to get one, ended.
#[non_exhaustive]
#[derive(Debug)]
pub struct Ending {
    /// What happened.
    pub why: Why,
    /// How long the connection lasted; zero if there was none.
    pub lasted: Duration,
    /// It lasted long enough for the next wait to be short again.
    pub is_stable: bool,
    /// The connection's number since the link was last stable, from 1.
    pub attempt: u32,
    /// When the next try begins; `None` if there is none.
    pub retry_in: Option<Duration>,
    /// Messages that were handed to the connection and may not have arrived; they are not sent
    /// again.
    pub unconfirmed_messages: u64,
    /// Messages that waited and will never be sent, now that this is final.
    pub unsent_messages: u64,
}

/// Whether an ending is the last.
pub(super) type Final = dyn Fn(&Ending) -> bool + Send + Sync;

/// What ended it.
#[derive(Debug)]
pub enum Why {
    /// There was a connection, and this is how it ended.
    Closed(CloseOutcome),
    /// There was none: this error of connecting, or of the function that makes the request.
    Failed(Error),
}

impl Ending {
    /// Whether the link ends with it.
    pub fn is_final(&self) -> bool {
        self.retry_in.is_none()
    }

    /// The answer of a server that refused.
    pub fn rejected(&self) -> Option<&Rejected> {
        match &self.why {
            Why::Closed(_) => None,
            Why::Failed(error) => Rejected::of(error),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::Closed(outcome) => write!(
                f,
                "closed with {} by the {}",
                outcome.code, outcome.initiator
            ),
            Why::Failed(error) => error.fmt(f),
        }
    }
}

/// Whether to connect no more, unless [`final_when`](super::LinkBuilder::final_when) says
/// otherwise: the server would say the same again, however often it is asked.
///
/// - Final are the codes 1000, 1002, 1003, 1007, 1009, 1010, 3000, 3003 and the application's own,
///   4000 to 4999: the server meant this very client. 1008 is, unless the connection was stable: a
///   credential that expires ends with 1008 after a while, and the next request brings a new one; a
///   refusal comes at once.
/// - Final are answers of 3xx and 4xx, but for 408, 425 and 429; and 501 and 505.
/// - Final are requests that cannot be sent, certificates that do not hold, and a server without a
///   subprotocol that is required.
pub fn is_final_by_default(ending: &Ending) -> bool {
    match &ending.why {
        Why::Closed(outcome) => is_final_close(outcome.code, ending.is_stable),
        Why::Failed(error) => match Rejected::of(error) {
            Some(rejected) if error.code() == "WHARF_CLIENT_REJECTED" => {
                matches!(rejected.status().as_u16(), 300..=407 | 409..=424 | 426..=428 | 430..=499 | 501 | 505)
            }
            _ => matches!(
                error.code(),
                "WHARF_URL"
                    | "WHARF_CONFIG"
                    | "WHARF_CLIENT_HEADER"
                    | "WHARF_CLIENT_REDIRECT"
                    | "WHARF_CLIENT_SUBPROTOCOL"
                    | "WHARF_TLS_MISSING"
                    | "WHARF_TLS_CERTIFICATE"
            ),
        },
    }
}

fn is_final_close(code: CloseCode, is_stable: bool) -> bool {
    match code {
        CloseCode::NORMAL
        | CloseCode::PROTOCOL
        | CloseCode::UNSUPPORTED
        | CloseCode::INVALID_PAYLOAD
        | CloseCode::TOO_BIG
        | CloseCode::MANDATORY_EXTENSION => true,
        CloseCode::POLICY => !is_stable,
        code => matches!(code.as_u16(), 3000 | 3003 | 4000..=4999),
    }
}

/// Whether the application itself closed the link.
pub(super) fn is_own_wish(why: &Why) -> bool {
    matches!(why, Why::Closed(outcome) if outcome.initiator == Initiator::Handler)
}
