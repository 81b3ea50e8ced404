//! How a link is put together.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::sync::mpsc;
use wharf_sdk::{Message, Result};

use super::{
    Link,
    attempt::{Attempt, Source},
    backoff::Backoff,
    ending::{Ending, Final, is_final_by_default},
    outgoing::Outgoing,
    run::Run,
    shared::{Shared, WhileAway},
};
use crate::{client::Client, request::Request};

/// How many events wait for whoever takes them.
const EVENTS: usize = 16;

/// Puts a [`Link`] together.
#[must_use = "nothing is connected before open()"]
pub struct LinkBuilder {
    client: Client,
    source: Arc<Source>,
    backoff: Backoff,
    request_timeout: Duration,
    while_away: WhileAway,
    queue_messages: usize,
    queue_bytes: usize,
    is_final: Arc<Final>,
    position_of: Option<fn(&Message) -> Option<String>>,
    random: fn() -> f64,
}

impl Client {
    /// A link that asks this function for each connection, so that credentials are fresh.
    ///
    /// ```no_run
    /// use wharf_client::{Client, Request};
    /// # async fn fresh_token() -> wharf_sdk::Result<String> { Ok(String::new()) }
    /// # fn example(client: Client) {
    /// let link = client
    ///     .reconnecting(async |_attempt| {
    ///         Request::to("wss://example.com/feed").bearer(&fresh_token().await?)
    ///     })
    ///     .open();
    /// # }
    /// ```
    pub fn reconnecting<F, Fut>(&self, source: F) -> LinkBuilder
    where
        F: Fn(Attempt) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Request>> + Send + 'static,
    {
        LinkBuilder {
            client: self.clone(),
            source: Arc::new(move |attempt| source(attempt).boxed()),
            backoff: Backoff::default(),
            request_timeout: Duration::from_secs(10),
            while_away: WhileAway::default(),
            queue_messages: 1024,
            queue_bytes: 1024 * 1024,
            is_final: Arc::new(is_final_by_default),
            position_of: None,
            random: fastrand::f64,
        }
    }

    /// A link that makes the same request each time.
    pub fn reconnecting_to(&self, request: impl Into<Request>) -> LinkBuilder {
        let request = request.into();
        self.reconnecting(move |_| std::future::ready(Ok(request.clone())))
    }
}

impl LinkBuilder {
    /// The first wait is a random time up to `base`, each next one up to twice as long, none longer
    /// than `cap`. Default 0.5 s and 30 s.
    pub fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.backoff.base = base;
        self.backoff.cap = cap;
        self
    }

    /// A connection that lasted this long counts as good, and the waits begin anew. Default 10 s.
    pub fn stable_after(mut self, lasted: Duration) -> Self {
        self.backoff.stable_after = lasted;
        self
    }

    /// The longest `Retry-After` that is honoured. Default 5 min.
    pub fn longest_retry_after(mut self, longest: Duration) -> Self {
        self.backoff.retry_after_cap = longest;
        self
    }

    /// How long the function that makes the request may take. Default 10 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// What becomes of messages while there is no connection. Default: they wait.
    pub fn while_away(mut self, policy: WhileAway) -> Self {
        self.while_away = policy;
        self
    }

    /// How many messages and payload bytes may wait. Default 1024 and 1 MiB. What a connection has
    /// taken waits in its session's own queue.
    pub fn queue(mut self, messages: usize, bytes: usize) -> Self {
        self.queue_messages = messages;
        self.queue_bytes = bytes;
        self
    }

    /// Whether to connect no more after this. Default: [`is_final_by_default`].
    pub fn final_when(mut self, decide: impl Fn(&Ending) -> bool + Send + Sync + 'static) -> Self {
        self.is_final = Arc::new(decide);
        self
    }

    /// Reads a room's position out of the server's messages, so that the next connection resumes by
    /// itself: [`position_in_envelope`](super::position_in_envelope), or one of yours.
    pub fn positions(mut self, read: fn(&Message) -> Option<String>) -> Self {
        self.position_of = Some(read);
        self
    }

    /// Where the jitter comes from: numbers from 0 up to 1. For tests.
    pub fn jitter(mut self, random: fn() -> f64) -> Self {
        self.random = random;
        self
    }

    /// Begins to connect, in a task of the link's own.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn open(self) -> Link {
        let client = self.client.for_link();
        let outgoing = Outgoing::new(self.queue_messages.max(1), self.queue_bytes);
        let max_bytes = client.settings().limits.max_outbound_message_bytes;
        let shared = Arc::new(Shared::new(outgoing, self.while_away, max_bytes));
        let (sender, events) = mpsc::channel(EVENTS);
        let run = Run {
            client,
            source: self.source,
            backoff: self.backoff,
            request_timeout: self.request_timeout,
            is_final: self.is_final,
            position_of: self.position_of,
            random: self.random,
            shared: Arc::clone(&shared),
            events: sender,
        };
        Link {
            events,
            shared,
            task: tokio::spawn(run.until_final()),
        }
    }
}

impl fmt::Debug for LinkBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkBuilder")
            .field("backoff", &self.backoff)
            .field("while_away", &self.while_away)
            .finish_non_exhaustive()
    }
}
