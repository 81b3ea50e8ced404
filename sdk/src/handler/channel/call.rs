//! One event that came, and what its function takes out of it.

use std::{any::Any, future::Future, ops::Range, sync::Arc};

use crate::handler::extract::Provided;
use bytestring::ByteString;
use serde::de::DeserializeOwned;

use super::{envelope::CallId, peer::ChannelPeer, policies::Policies};
use crate::{
    handler::{codec, extract::FromContext},
    message::{Error, ErrorKind, Result},
    request::Context,
};

/// One event that a peer sent.
#[derive(Debug, Clone)]
pub struct Call {
    connection: Arc<Connection>,
    name: &'static str,
    /// The message that it came in, and where in it its payload is.
    text: ByteString,
    data: Option<Range<usize>>,
    id: Option<CallId>,
}

/// What all events of a connection have in common.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) policies: Arc<Policies>,
    pub(super) context: Context,
    pub(super) peer: ChannelPeer,
    pub(super) held: Option<Arc<dyn Any + Send + Sync>>,
}

/// An argument of an event's function: whatever can be taken out of the upgrade request, and
/// [`Data`], [`ChannelPeer`], [`Held`] and [`Call`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be taken out of an event",
    note = "use `Data<T>` for the payload, `ChannelPeer`, `Held<T>`, `Call`, or what a handler \
            takes out of its request: `Principal`, `State<T>`, `Path<T>`, `Extension<T>`, `Context`"
)]
pub trait FromCall: Sized + Send {
    /// Takes it out.
    ///
    /// # Errors
    ///
    /// What the peer is told in place of a reply.
    fn from_call(call: &Call) -> impl Future<Output = Result<Self>> + Send;

    /// Whether an app with these values can ever provide it; asked when the app is built.
    ///
    /// # Errors
    ///
    /// What is missing, and how to add it.
    fn check(provided: &Provided<'_>) -> Result<()> {
        let _ = provided;
        Ok(())
    }
}

impl Connection {
    /// The same, with what `on_open` returned.
    pub(super) fn holding(&self, held: Arc<dyn Any + Send + Sync>) -> Self {
        Self {
            policies: Arc::clone(&self.policies),
            context: self.context.clone(),
            peer: self.peer.clone(),
            held: Some(held),
        }
    }
}

impl Call {
    pub(super) fn new(
        connection: &Arc<Connection>,
        name: &'static str,
        text: ByteString,
        data: Option<Range<usize>>,
        id: Option<CallId>,
    ) -> Self {
        Self {
            connection: Arc::clone(connection),
            name,
            text,
            data,
            id,
        }
    }

    /// What happens to the connection, and is no event.
    pub(super) fn of_connection(connection: &Arc<Connection>) -> Self {
        Self::new(connection, "", ByteString::new(), None, None)
    }

    /// The event's name.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Its payload, as JSON. `None` if it had none.
    pub fn data(&self) -> Option<&str> {
        self.text.get(self.data.clone()?)
    }

    /// Whether the peer waits for a reply.
    pub fn wants_reply(&self) -> bool {
        self.id.is_some()
    }

    /// The upgrade request of the connection, and what middleware learned from it.
    pub fn context(&self) -> &Context {
        &self.connection.context
    }

    /// Who sent it.
    pub fn peer(&self) -> &ChannelPeer {
        &self.connection.peer
    }

    pub(super) fn policies(&self) -> &Policies {
        &self.connection.policies
    }

    /// The reply to it, up to where its data begins; empty if it wants none.
    pub(super) fn begin_reply(&self) -> Result<Vec<u8>> {
        match &self.id {
            Some(id) => self.connection.policies.replies.begin(id),
            None => Ok(Vec::new()),
        }
    }

    pub(super) fn id(&self) -> Option<&CallId> {
        self.id.as_ref()
    }

    /// Payload bytes that it holds while it waits.
    pub(super) fn held_bytes(&self) -> usize {
        self.data.as_ref().map_or(0, |data| data.len())
    }

    fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        codec::decode_json_text(self.data().unwrap_or("null"))
    }
}

impl<T: FromContext + Send> FromCall for T {
    async fn from_call(call: &Call) -> Result<Self> {
        T::from_context(call.context()).await
    }

    fn check(provided: &Provided<'_>) -> Result<()> {
        <T as FromContext>::check(provided)
    }
}

impl FromCall for Call {
    async fn from_call(call: &Call) -> Result<Self> {
        Ok(call.clone())
    }
}

impl FromCall for ChannelPeer {
    async fn from_call(call: &Call) -> Result<Self> {
        Ok(call.peer().clone())
    }
}

/// An event's payload, decoded. An event without one decodes as `null`.
///
/// What does not decode is the peer's to know: the code is `WHARF_INVALID_JSON`, the message names
/// the path and no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Data<T>(pub T);

impl<T: DeserializeOwned + Send> FromCall for Data<T> {
    async fn from_call(call: &Call) -> Result<Self> {
        call.decode().map(Self)
    }
}

/// An event's payload, decoded and validated with garde.
///
/// What is not valid is told by field, as issues of the error `WHARF_INVALID_VALUE`.
#[cfg(feature = "validate")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Valid<T>(pub T);

#[cfg(feature = "validate")]
impl<T> FromCall for Valid<T>
where
    T: DeserializeOwned + garde::Validate<Context: Default> + Send,
{
    async fn from_call(call: &Call) -> Result<Self> {
        let value: T = call.decode()?;
        codec::validated(value, call.data().unwrap_or("null")).map(Self)
    }
}

/// What the channel's `on_open` returned for this connection: a seat in a room, a player.
///
/// It is dropped when the session ends, whatever ended it.
#[derive(Debug)]
pub struct Held<T>(pub Arc<T>);

impl<T> Clone for Held<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> std::ops::Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Send + Sync + 'static> FromCall for Held<T> {
    async fn from_call(call: &Call) -> Result<Self> {
        let held = call.connection.held.clone();
        held.and_then(|held| held.downcast::<T>().ok())
            .map(Self)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Internal,
                    "WHARF_NOTHING_HELD",
                    "an event's function asks for a value that on_open does not return; make \
                     on_open return it",
                )
                .with_context("type", std::any::type_name::<T>())
            })
    }
}
