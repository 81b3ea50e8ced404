//! One kind of event: its function, and who may send it how often.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    call::Call,
    function::{AnyFunction, EventFunction},
    rate::EventRate,
    terms::Terms,
};
#[cfg(feature = "asyncapi")]
use crate::handler::documented::Type;
use crate::{handler::event_snapshot::EventSnapshot, policy::LONGEST};

/// A name, the function that serves it, and its policy.
///
/// ```
/// use std::time::Duration;
/// use wharf_sdk::{Result, channel::{Data, Event, EventRate}};
///
/// async fn bid(Data(amount): Data<u64>) -> Result<u64> {
///     Ok(amount + 1)
/// }
///
/// let event = Event::new("bid", bid)
///     .require_scopes(["bidder"])
///     .rate(EventRate::per_second(10).by_principal())
///     .timeout(Duration::from_secs(2));
/// # let _ = event;
/// ```
#[derive(Clone)]
pub struct Event {
    pub(super) name: &'static str,
    pub(super) function: AnyFunction,
    pub(super) terms: Arc<Terms>,
    /// The types of its payload and of its reply, where they are known.
    #[cfg(feature = "asyncapi")]
    pub(super) types: Option<(Type, Type)>,
}

impl Event {
    /// An event that anybody may send who is connected. Its function takes what handlers take, its
    /// payload as [`Data`](super::Data), and the [`ChannelPeer`](super::ChannelPeer); what it
    /// returns is the reply.
    pub fn new<Args: 'static>(name: &'static str, function: impl EventFunction<Args>) -> Self {
        Self {
            name,
            function: AnyFunction::new(function),
            terms: Arc::default(),
            #[cfg(feature = "asyncapi")]
            types: None,
        }
    }

    /// Takes the event only from principals with all of these scopes.
    #[must_use]
    pub fn require_scopes<I: IntoIterator<Item: Into<String>>>(mut self, scopes: I) -> Self {
        self.terms()
            .scopes
            .extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Takes the event only where this says so.
    #[must_use]
    pub fn allow_if(mut self, predicate: impl Fn(&Call) -> bool + Send + Sync + 'static) -> Self {
        self.terms().predicate = Some(Arc::new(predicate));
        self
    }

    /// Takes the event this often.
    #[must_use]
    pub fn rate(mut self, rate: EventRate) -> Self {
        self.terms().rate = Some(rate);
        self
    }

    /// How long its function may take; then it is dropped, and the reply is an error. Default: 30 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.terms().timeout = timeout.min(LONGEST);
        self
    }

    fn terms(&mut self) -> &mut Terms {
        Arc::make_mut(&mut self.terms)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("name", &self.name)
            .field("terms", &self.terms)
            .finish_non_exhaustive()
    }
}

impl Event {
    /// It as data, inside of this middleware.
    pub(super) fn snapshot(&self, middleware: Vec<String>) -> EventSnapshot {
        EventSnapshot {
            name: self.name.to_owned(),
            from: "peer",
            scopes: self.terms.scopes.clone(),
            per_second: self
                .terms
                .rate
                .as_ref()
                .map(|rate| rate.events_per_second()),
            timeout_ms: Some(
                self.terms
                    .timeout
                    .as_millis()
                    .try_into()
                    .unwrap_or(u64::MAX),
            ),
            middleware,
            #[cfg(feature = "asyncapi")]
            types: self.types.clone(),
            #[cfg(feature = "asyncapi")]
            manners: crate::handler::event_snapshot::Manners::default(),
        }
    }
}
