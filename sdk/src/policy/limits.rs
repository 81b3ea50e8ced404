//! The settings in effect on a route, complete and free of contradictions.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::policy::{
    compression::Compression,
    decode::{DecodeAnswer, DecodeErrors},
    origin::OriginPolicy,
    rate::RateLimit,
    slow_client::SlowClient,
    subprotocol::Subprotocols,
};

/// Longer times are taken for this: a clock cannot count to [`Duration::MAX`].
pub(crate) const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Every limit and timer of a route. Durations serialize as milliseconds.
///
/// ```
/// let limits = wharf_sdk::Limits::default();
/// assert_eq!(limits.max_message_bytes, 1024 * 1024);
/// assert_eq!(limits.idle_timeout, None);
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Serialize)]
pub struct Limits {
    /// The largest message that is read.
    pub max_message_bytes: usize,
    /// The largest message that is written.
    pub max_outbound_message_bytes: usize,
    /// The largest number of fragments of one message.
    pub max_fragments: usize,
    /// The send queue in payload bytes, counting the message being added.
    pub queue_bytes: usize,
    /// With so much in the queue, who can wait does, although a larger message would still fit.
    #[serde(skip)]
    pub(crate) patient_queue_bytes: usize,
    /// The send queue in messages, counting the message being added.
    pub queue_messages: usize,
    /// What happens to a message that finds the queue full.
    pub slow_client: SlowClient,
    /// How long the peer may take nothing of what was sent.
    #[serde(serialize_with = "millis")]
    pub write_deadline: Duration,
    /// How much the peer may send.
    pub rate_limit: Option<RateLimit>,
    /// How long the first message may take.
    #[serde(serialize_with = "optional_millis")]
    pub first_message_timeout: Option<Duration>,
    /// How old a session may become.
    #[serde(serialize_with = "optional_millis")]
    pub max_age: Option<Duration>,
    /// How long the peer may send nothing.
    #[serde(serialize_with = "optional_millis")]
    pub idle_timeout: Option<Duration>,
    /// After how much inbound silence a ping is sent.
    #[serde(serialize_with = "optional_millis")]
    pub heartbeat_interval: Option<Duration>,
    /// How long its pong may take.
    #[serde(serialize_with = "millis")]
    pub heartbeat_timeout: Duration,
    /// How long the close handshake may take.
    #[serde(serialize_with = "millis")]
    pub close_timeout: Duration,
    /// How long a handler may go on after its connection ended, before it is dropped.
    #[serde(serialize_with = "millis")]
    pub handler_grace: Duration,
    /// How long the middleware chain may take.
    #[serde(serialize_with = "millis")]
    pub upgrade_timeout: Duration,
    /// How long an HTTP fallback may take, with the middleware in front of it.
    #[serde(serialize_with = "millis")]
    pub fallback_timeout: Duration,
    /// Whether refusals are sockets that close with 4000 and the status.
    pub readable_refusals: bool,
    /// Whether `read` yields pings, pongs and the peer's close.
    pub control_frames: bool,
    /// What a message that does not decode does.
    pub decode_errors: DecodeErrors,
    /// What answers it, if it is not the usual.
    #[serde(skip)]
    pub decode_answer: Option<DecodeAnswer>,
    /// How messages are compressed, for peers that offer it.
    pub compression: Option<Compression>,
    /// How many connections the route takes at once.
    pub max_connections: Option<usize>,
    /// Who may connect.
    pub origins: OriginPolicy,
    /// What is spoken.
    pub subprotocols: Subprotocols,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            max_message_bytes: MIB,
            max_outbound_message_bytes: MIB,
            max_fragments: 4096,
            queue_bytes: MIB,
            patient_queue_bytes: MIB,
            queue_messages: 1024,
            slow_client: SlowClient::Wait,
            write_deadline: Duration::from_secs(10),
            rate_limit: None,
            first_message_timeout: None,
            max_age: None,
            idle_timeout: None,
            heartbeat_interval: Some(Duration::from_secs(25)),
            heartbeat_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(5),
            handler_grace: Duration::from_secs(30),
            upgrade_timeout: Duration::from_secs(10),
            fallback_timeout: Duration::from_secs(10),
            readable_refusals: false,
            control_frames: false,
            decode_errors: DecodeErrors::default(),
            decode_answer: None,
            compression: None,
            max_connections: None,
            origins: OriginPolicy::default(),
            subprotocols: Subprotocols::default(),
        }
    }
}

fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(duration.as_millis())
}

fn optional_millis<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => millis(duration, serializer),
        None => serializer.serialize_none(),
    }
}
