//! What an event's own types say of it.

use std::future::Future;

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    call::{Data, FromCall},
    channel::Channel,
    event::Event,
    function::EventFunction,
    policies::EventErrors,
};
use crate::{
    handler::{
        documented::Type,
        event_snapshot::{EventSnapshot, Manners},
    },
    message::{BoxError, Result},
};

/// A function that serves an event, whose payload and reply have schemas: its last argument is
/// [`Data<T>`](Data).
///
/// There is no need to implement this trait: such functions do.
#[diagnostic::on_unimplemented(
    message = "the types of this event are not known",
    note = "`Event::documented` takes functions whose last argument is `Data<T>`, where `T` and the \
            reply derive `JsonSchema`; for others there are `Event::new` and `Route::documents_event`"
)]
pub trait DocumentedFunction<Args>: EventFunction<Args> {
    /// The payload.
    type Data: JsonSchema;
    /// The reply.
    type Reply: JsonSchema;
}

macro_rules! impl_documented {
    ($($arg:ident),*) => {
        impl<F, Fut, D, T, E, $($arg),*> DocumentedFunction<($($arg,)* Data<D>,)> for F
        where
            F: Fn($($arg,)* Data<D>) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = Result<T, E>> + Send + 'static,
            D: JsonSchema,
            T: Serialize + JsonSchema + Send + 'static,
            E: Into<BoxError>,
            Data<D>: FromCall + 'static,
            $($arg: FromCall + 'static,)*
        {
            type Data = D;
            type Reply = T;
        }
    };
}

impl_documented!();
impl_documented!(A1);
impl_documented!(A1, A2);
impl_documented!(A1, A2, A3);
impl_documented!(A1, A2, A3, A4);
impl_documented!(A1, A2, A3, A4, A5);
impl_documented!(A1, A2, A3, A4, A5, A6);
impl_documented!(A1, A2, A3, A4, A5, A6, A7);

impl Event {
    /// The same as [`new`](Self::new), and the app's document has the schemas of the payload and of
    /// the reply.
    ///
    /// ```
    /// use schemars::JsonSchema;
    /// use serde::{Deserialize, Serialize};
    /// use wharf_sdk::{Result, channel::{Data, Event}};
    ///
    /// #[derive(Deserialize, JsonSchema)]
    /// struct Bid { amount: u64 }
    ///
    /// #[derive(Serialize, JsonSchema)]
    /// struct Standing { highest: u64 }
    ///
    /// async fn bid(Data(bid): Data<Bid>) -> Result<Standing> {
    ///     Ok(Standing { highest: bid.amount })
    /// }
    ///
    /// let event = Event::documented("bid", bid);
    /// # let _ = event;
    /// ```
    pub fn documented<Args: 'static, F: DocumentedFunction<Args>>(
        name: &'static str,
        function: F,
    ) -> Self {
        let mut event = Self::new(name, function);
        event.types = Some((Type::of::<F::Data>(), Type::of::<F::Reply>()));
        event
    }
}

impl Channel {
    /// The same as [`emits`](Self::emits), and the app's document has the schema of the event's
    /// payload.
    ///
    /// ```
    /// use schemars::JsonSchema;
    /// use serde::Serialize;
    /// use wharf_sdk::Channel;
    ///
    /// #[derive(Serialize, JsonSchema)]
    /// struct Sold { to: String, amount: u64 }
    ///
    /// let channel = Channel::new().emits_documented::<Sold>("sold");
    /// # let _ = channel;
    /// ```
    #[must_use]
    pub fn emits_documented<T: JsonSchema>(self, name: &'static str) -> Self {
        let mut event = EventSnapshot::emitted(name);
        event.types = Some((Type::of::<T>(), Type::of::<()>()));
        self.emits_as(event)
    }

    /// What is in effect on all of its events.
    pub(super) fn manners(&self) -> Manners {
        Manners {
            envelope: self.policies.envelope,
            closes_unknown: self.policies.unknown == EventErrors::Close,
            closes_invalid: self.policies.invalid == EventErrors::Close,
        }
    }
}
