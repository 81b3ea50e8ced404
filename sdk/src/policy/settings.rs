//! Settings as they are written down: each given or not.

use std::time::Duration;

use crate::{
    message::{Error, Message, Result},
    policy::{
        compression::Compression,
        decode::{DecodeAnswer, DecodeErrors},
        limits::{LONGEST, Limits},
        origin::OriginPolicy,
        rate::RateLimit,
        slow_client::SlowClient,
        subprotocol::Subprotocols,
    },
};

/// A set of settings, each given or inherited.
///
/// Setters come from [`Configure`], which apps, groups and routes share.
///
/// ```
/// use std::time::Duration;
/// use wharf_sdk::{App, Configure, Policy, Route, SlowClient};
/// # use wharf_sdk::{Result, Socket};
/// # async fn echo(mut socket: Socket) -> Result<()> {
/// #     while let Some(message) = socket.read().await? {
/// #         socket.write(message).await?;
/// #     }
/// #     Ok(())
/// # }
/// # fn main() -> Result<()> {
/// let feed = Policy::new()
///     .slow_client(SlowClient::DropOldest)
///     .queue_messages(64)
///     .idle_timeout(Duration::from_secs(600));
/// let app = App::builder()
///     .route(Route::new("/prices", echo).policy(feed.clone()))
///     .route(Route::new("/news", echo).policy(feed))
///     .build()?;
/// assert_eq!(app.routes()[0].limits.queue_messages, 64);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Policy {
    max_message_bytes: Option<usize>,
    max_outbound_message_bytes: Option<usize>,
    max_fragments: Option<usize>,
    queue_bytes: Option<usize>,
    queue_messages: Option<usize>,
    slow_client: Option<SlowClient>,
    write_deadline: Option<Duration>,
    rate_limit: Option<Option<RateLimit>>,
    first_message_timeout: Option<Option<Duration>>,
    max_age: Option<Option<Duration>>,
    idle_timeout: Option<Option<Duration>>,
    heartbeat_interval: Option<Option<Duration>>,
    heartbeat_timeout: Option<Duration>,
    close_timeout: Option<Duration>,
    handler_grace: Option<Duration>,
    upgrade_timeout: Option<Duration>,
    fallback_timeout: Option<Duration>,
    readable_refusals: Option<bool>,
    control_frames: Option<bool>,
    decode_errors: Option<DecodeErrors>,
    decode_answer: Option<DecodeAnswer>,
    compression: Option<Option<Compression>>,
    max_connections: Option<usize>,
    origins: Option<OriginPolicy>,
    subprotocols: Option<Subprotocols>,
}

/// Settings by name, on everything that has a [`Policy`]: the app, a group, a route.
///
/// What a route leaves open it inherits from its group, then from the app, then from the defaults
/// of [`Limits`].
pub trait Configure: Sized {
    /// The settings to change.
    fn policy_mut(&mut self) -> &mut Policy;

    /// Takes over every setting that `policy` gives.
    #[must_use]
    fn policy(mut self, policy: Policy) -> Self {
        let inherited = std::mem::take(self.policy_mut());
        *self.policy_mut() = policy.or(&inherited);
        self
    }

    /// The largest message that is read, in bytes. Default 1 MiB. Larger ones end the session with
    /// 1009.
    #[must_use]
    fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.policy_mut().max_message_bytes = Some(bytes);
        self
    }

    /// The largest message that is written, in bytes. Default 1 MiB, or what is read if that is
    /// more. A larger one is a typed error and ends the session with 1009.
    #[must_use]
    fn max_outbound_message_bytes(mut self, bytes: usize) -> Self {
        self.policy_mut().max_outbound_message_bytes = Some(bytes);
        self
    }

    /// The largest number of fragments of one message. Default 4096. More end the session with
    /// 1009.
    #[must_use]
    fn max_fragments(mut self, fragments: usize) -> Self {
        self.policy_mut().max_fragments = Some(fragments);
        self
    }

    /// The send queue in payload bytes. Default 1 MiB, or the largest outbound message if that is
    /// more; whoever waits for room does so beyond 1 MiB then too, so that only messages that would
    /// be refused or dropped need the larger queue. A message larger than the whole queue is admitted
    /// alone, once the queue is empty.
    #[must_use]
    fn queue_bytes(mut self, bytes: usize) -> Self {
        self.policy_mut().queue_bytes = Some(bytes);
        self
    }

    /// The send queue in messages. Default 1024.
    ///
    /// It must hold the largest burst that is written before the session's task runs again (in a
    /// room: what one member may send at once, which `rate_limit` bounds). A smaller one drops
    /// messages of peers that read well, or closes them, as [`SlowClient`] says. Besides, up to
    /// 256 KiB may be on their way to the system already.
    #[must_use]
    fn queue_messages(mut self, messages: usize) -> Self {
        self.policy_mut().queue_messages = Some(messages);
        self
    }

    /// What happens to a message that finds the send queue full. Default: its writer waits.
    #[must_use]
    fn slow_client(mut self, policy: SlowClient) -> Self {
        self.policy_mut().slow_client = Some(policy);
        self
    }

    /// How long the peer may take nothing of what was sent. Default 10 s. The connection is
    /// dropped after it.
    #[must_use]
    fn write_deadline(mut self, deadline: Duration) -> Self {
        self.policy_mut().write_deadline = Some(deadline);
        self
    }

    /// How much the peer may send. Default: as much as the handler reads.
    #[must_use]
    fn rate_limit(mut self, limit: impl Into<Option<RateLimit>>) -> Self {
        self.policy_mut().rate_limit = Some(limit.into());
        self
    }

    /// How long the first message may take. Default: no limit. The session ends with 1008.
    #[must_use]
    fn first_message_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.policy_mut().first_message_timeout = Some(timeout.into());
        self
    }

    /// How old a session may become. Default: no limit. The session ends with 1001.
    #[must_use]
    fn max_age(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.policy_mut().max_age = Some(age.into());
        self
    }

    /// How long the peer may send nothing, pongs and pings not counted. Default: no limit. The
    /// session ends with 1001.
    #[must_use]
    fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.policy_mut().idle_timeout = Some(timeout.into());
        self
    }

    /// Pings after `interval` of inbound silence and drops the connection if the pong takes longer
    /// than `timeout`. Default 25 s and 20 s.
    #[must_use]
    fn heartbeat(mut self, interval: Duration, timeout: Duration) -> Self {
        self.policy_mut().heartbeat_interval = Some(Some(interval));
        self.policy_mut().heartbeat_timeout = Some(timeout);
        self
    }

    /// Sends no pings. A peer that vanished is then noticed by the next write at the earliest.
    #[must_use]
    fn no_heartbeat(mut self) -> Self {
        self.policy_mut().heartbeat_interval = Some(None);
        self
    }

    /// How long the close handshake may take, from the wish to close to the end of the
    /// connection. Default 5 s.
    #[must_use]
    fn close_timeout(mut self, timeout: Duration) -> Self {
        self.policy_mut().close_timeout = Some(timeout);
        self
    }

    /// How long a handler may go on after its connection ended, before it is dropped. Default
    /// 30 s.
    #[must_use]
    fn handler_grace(mut self, grace: Duration) -> Self {
        self.policy_mut().handler_grace = Some(grace);
        self
    }

    /// Lets pages read why they were refused: a browser shows no status of a failed handshake, so a
    /// refusal (401, 403, 429, 500 and so on) is a 101 whose session closes at once with 4000 and the
    /// status, and the public message. Default: it is the HTTP answer. Of those for whom a cap on
    /// connections has no place, 16 at a time are told so; what no route matches, and whoever comes
    /// during a shutdown, gets the HTTP answer.
    #[must_use]
    fn readable_refusals(mut self, wanted: bool) -> Self {
        self.policy_mut().readable_refusals = Some(wanted);
        self
    }

    /// How long the middleware chain may take that decides on a socket. Default 10 s. The answer is
    /// 504 after it.
    #[must_use]
    fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.policy_mut().upgrade_timeout = Some(timeout);
        self
    }

    /// How long an HTTP fallback may take, with the middleware in front of it. Default 10 s. The
    /// answer is 504 after it.
    #[must_use]
    fn fallback_timeout(mut self, timeout: Duration) -> Self {
        self.policy_mut().fallback_timeout = Some(timeout);
        self
    }

    /// Lets `read` yield pings, pongs and the peer's close. Default: it does not.
    #[must_use]
    fn control_frames(mut self, wanted: bool) -> Self {
        self.policy_mut().control_frames = Some(wanted);
        self
    }

    /// What a message does that does not decode in `read_text`, `read_bytes`, `read_json` or
    /// [`Typed`](crate::Typed). Default: the read returns the error.
    #[must_use]
    fn decode_errors(mut self, policy: DecodeErrors) -> Self {
        self.policy_mut().decode_errors = Some(policy);
        self
    }

    /// Compresses messages, for peers that offer permessage-deflate. Default: no.
    #[cfg(feature = "deflate")]
    #[must_use]
    fn compression(mut self, compression: impl Into<Option<Compression>>) -> Self {
        self.policy_mut().compression = Some(compression.into());
        self
    }

    /// Answers messages that do not decode with what this makes of the error and the message, such as
    /// an envelope with the id that it came with, and reads on: [`DecodeErrors::Answer`] in words of
    /// your own.
    ///
    /// ```
    /// use wharf_sdk::{Configure, Message, Route, Typed};
    ///
    /// async fn sum(mut socket: Typed<Vec<u32>, u32>) -> wharf_sdk::Result<()> {
    ///     while let Some(numbers) = socket.read().await? {
    ///         socket.write(&numbers.iter().sum()).await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let route = Route::new("/sum", sum)
    ///     .answer_with(|error, _| Message::text(format!("what? {}", error.message())));
    /// # let _ = route;
    /// ```
    #[must_use]
    fn answer_with(
        mut self,
        answer: impl Fn(&Error, &Message) -> Message + Send + Sync + 'static,
    ) -> Self {
        self.policy_mut().decode_answer = Some(DecodeAnswer::new(answer));
        self.decode_errors(DecodeErrors::Answer)
    }

    /// How many connections a route takes at once; set on a group or an app, it applies to each
    /// of its routes. Default: no limit. The answer is 503 beyond it.
    #[must_use]
    fn max_connections(mut self, connections: usize) -> Self {
        self.policy_mut().max_connections = Some(connections);
        self
    }

    /// Which origins may connect. Default: the server's own, and clients that send none.
    #[must_use]
    fn origins(mut self, policy: OriginPolicy) -> Self {
        self.policy_mut().origins = Some(policy);
        self
    }

    /// Which subprotocols are spoken. Default: none.
    #[must_use]
    fn subprotocols(mut self, subprotocols: Subprotocols) -> Self {
        self.policy_mut().subprotocols = Some(subprotocols);
        self
    }
}

impl Configure for Policy {
    fn policy_mut(&mut self) -> &mut Policy {
        self
    }
}

impl Policy {
    /// A policy that inherits everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Fills what is not given from `outer`.
    #[must_use]
    pub(crate) fn or(self, outer: &Self) -> Self {
        macro_rules! inherit {
            ($($field:ident),* $(,)?) => {
                Self { $($field: self.$field.or_else(|| outer.$field.clone())),* }
            };
        }
        inherit!(
            max_message_bytes,
            max_outbound_message_bytes,
            max_fragments,
            queue_bytes,
            queue_messages,
            slow_client,
            write_deadline,
            rate_limit,
            first_message_timeout,
            max_age,
            idle_timeout,
            heartbeat_interval,
            heartbeat_timeout,
            close_timeout,
            handler_grace,
            upgrade_timeout,
            fallback_timeout,
            readable_refusals,
            control_frames,
            decode_errors,
            decode_answer,
            compression,
            max_connections,
            origins,
            subprotocols,
        )
    }

    /// Fills what is still open from the defaults and refuses contradictions, naming `route`.
    pub(crate) fn resolve(&self, route: &str) -> Result<Limits> {
        self.limits()
            .map_err(|error| Error::config(format!("route {route}: {}", error.message())))
    }

    /// The limits that these settings make, with what they leave open filled from the defaults.
    ///
    /// # Errors
    ///
    /// `WHARF_CONFIG` for settings that contradict each other.
    pub fn limits(&self) -> Result<Limits> {
        self.check()?;
        let defaults = Limits::default();
        let max_message_bytes = self.max_message_bytes.unwrap_or(defaults.max_message_bytes);
        let max_outbound_message_bytes = self
            .max_outbound_message_bytes
            .unwrap_or(defaults.max_outbound_message_bytes.max(max_message_bytes));
        let queue_bytes = self
            .queue_bytes
            .unwrap_or(defaults.queue_bytes.max(max_outbound_message_bytes));
        if let Some(Some(compression)) = &self.compression {
            compression.check(max_outbound_message_bytes)?;
        }
        let bounded =
            |time: Option<Duration>, default: Duration| time.unwrap_or(default).min(LONGEST);
        let optional = |time: Option<Option<Duration>>, default: Option<Duration>| {
            time.unwrap_or(default).map(|time| time.min(LONGEST))
        };
        Ok(Limits {
            max_message_bytes,
            max_outbound_message_bytes,
            queue_bytes,
            // The queue is larger than usual only so that the largest message fits for those who
            // cannot wait.
            patient_queue_bytes: self.queue_bytes.unwrap_or(defaults.patient_queue_bytes),
            max_fragments: self.max_fragments.unwrap_or(defaults.max_fragments),
            queue_messages: self.queue_messages.unwrap_or(defaults.queue_messages),
            slow_client: self.slow_client.unwrap_or_default(),
            write_deadline: bounded(self.write_deadline, defaults.write_deadline),
            rate_limit: self.rate_limit.unwrap_or(None),
            first_message_timeout: optional(self.first_message_timeout, None),
            max_age: optional(self.max_age, None),
            idle_timeout: optional(self.idle_timeout, None),
            heartbeat_interval: optional(self.heartbeat_interval, defaults.heartbeat_interval),
            heartbeat_timeout: bounded(self.heartbeat_timeout, defaults.heartbeat_timeout),
            close_timeout: bounded(self.close_timeout, defaults.close_timeout),
            handler_grace: bounded(self.handler_grace, defaults.handler_grace),
            upgrade_timeout: bounded(self.upgrade_timeout, defaults.upgrade_timeout),
            fallback_timeout: bounded(self.fallback_timeout, defaults.fallback_timeout),
            readable_refusals: self.readable_refusals.unwrap_or_default(),
            control_frames: self.control_frames.unwrap_or(defaults.control_frames),
            decode_errors: self.decode_errors.unwrap_or_default(),
            decode_answer: self.decode_answer.clone(),
            compression: self.compression.flatten(),
            max_connections: self.max_connections,
            origins: self.origins.clone().unwrap_or_default(),
            subprotocols: self.subprotocols.clone().unwrap_or_default(),
        })
    }

    fn check(&self) -> Result<()> {
        let sizes = [
            ("max_message_bytes", self.max_message_bytes),
            (
                "max_outbound_message_bytes",
                self.max_outbound_message_bytes,
            ),
            ("max_fragments", self.max_fragments),
            ("queue_bytes", self.queue_bytes),
            ("queue_messages", self.queue_messages),
            ("max_connections", self.max_connections),
        ];
        for (name, value) in sizes {
            if value == Some(0) {
                return Err(Error::config(format!("{name} is 0; give it at least 1")));
            }
        }
        let times = [
            ("write_deadline", self.write_deadline),
            (
                "first_message_timeout",
                self.first_message_timeout.flatten(),
            ),
            ("max_age", self.max_age.flatten()),
            ("idle_timeout", self.idle_timeout.flatten()),
            (
                "the heartbeat's interval",
                self.heartbeat_interval.flatten(),
            ),
            ("the heartbeat's timeout", self.heartbeat_timeout),
            ("close_timeout", self.close_timeout),
            ("upgrade_timeout", self.upgrade_timeout),
            ("fallback_timeout", self.fallback_timeout),
        ];
        for (name, value) in times {
            if value == Some(Duration::ZERO) {
                return Err(Error::config(format!(
                    "{name} is 0, which would end every session; give it a time, or leave it out"
                )));
            }
        }
        if let (Some(queue), Some(message)) = (self.queue_bytes, self.max_outbound_message_bytes)
            && queue < message
        {
            return Err(Error::config(format!(
                "queue_bytes ({queue}) is smaller than max_outbound_message_bytes \
                     ({message}); raise the queue or lower the limit"
            )));
        }
        if let Some(Some(rate)) = self.rate_limit
            && (rate.messages_per_second == 0 || rate.bytes_per_second == 0)
        {
            return Err(Error::config(
                "rate_limit allows 0 per second; give it at least 1 or leave it out",
            ));
        }
        if let Some(subprotocols) = &self.subprotocols {
            subprotocols.check()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_settings_win_and_open_ones_are_inherited() {
        let app = Policy::new().max_message_bytes(10).queue_messages(7);
        let route = Policy::new().max_message_bytes(20);
        let limits = route.or(&app).resolve("/").expect("valid");
        assert_eq!((limits.max_message_bytes, limits.queue_messages), (20, 7));
        assert_eq!(
            limits.max_outbound_message_bytes,
            1 << 20,
            "inbound limits are not outbound"
        );
    }

    #[test]
    fn off_can_override_on() {
        let app = Policy::new().idle_timeout(Duration::from_secs(1));
        let route = Policy::new().idle_timeout(None).no_heartbeat();
        let limits = route.or(&app).resolve("/").expect("valid");
        assert_eq!(
            (limits.idle_timeout, limits.heartbeat_interval),
            (None, None)
        );
    }

    #[test]
    fn a_large_message_gets_a_queue_it_fits() {
        let limits = Policy::new()
            .max_message_bytes(64 << 20)
            .resolve("/")
            .expect("valid");
        assert_eq!(limits.queue_bytes, 64 << 20);
        assert_eq!(limits.patient_queue_bytes, 1 << 20);
        let limits = Policy::new().queue_bytes(2 << 20).resolve("/");
        assert_eq!(limits.expect("valid").patient_queue_bytes, 2 << 20);
    }

    #[test]
    fn what_a_clock_cannot_count_is_as_long_as_it_can() {
        let limits = Policy::new()
            .max_age(Duration::MAX)
            .close_timeout(Duration::MAX)
            .resolve("/")
            .expect("valid");
        let now = std::time::Instant::now();
        assert!(
            limits
                .max_age
                .is_some_and(|age| now.checked_add(age).is_some())
        );
        assert!(now.checked_add(limits.close_timeout).is_some());
    }

    #[test]
    fn zero_and_contradiction_are_refused_with_route_and_value() {
        let wrong = [
            Policy::new().max_message_bytes(0),
            Policy::new().queue_messages(0),
            Policy::new().idle_timeout(Duration::ZERO),
            Policy::new().heartbeat(Duration::ZERO, Duration::from_secs(1)),
            Policy::new().queue_bytes(10).max_outbound_message_bytes(11),
            Policy::new().rate_limit(RateLimit::per_second(0)),
            Policy::new().subprotocols(Subprotocols::required([""; 0])),
            Policy::new().compression(Compression::new().level(0)),
            Policy::new().compression(Compression::new().memory_level(10)),
            Policy::new().compression(Compression::new().window_bits(8)),
            Policy::new().compression(Compression::new().inbound_window_bits(16)),
            Policy::new().compression(Compression::new().threshold_bytes(2 << 20)),
        ];
        for policy in wrong {
            let error = policy.resolve("/chat").expect_err("contradiction");
            assert_eq!(error.code(), "WHARF_CONFIG");
            assert!(error.message().starts_with("route /chat: "), "{error}");
        }
    }
}
