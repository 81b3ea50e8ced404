//! The peer of a channel: events and requests to it.

use std::{sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

use super::{
    asked::Asked,
    envelope::{Answer, Envelope, is_name},
};
use crate::{
    handler::codec,
    message::{ConnectionId, Error, ErrorKind, Result},
    policy::LONGEST,
    session::Sender,
};

/// Whom an event came from: a cheap clone that can be kept.
#[derive(Debug, Clone)]
pub struct ChannelPeer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    sender: Sender,
    envelope: Envelope,
    asked: Asked,
}

impl ChannelPeer {
    pub(super) fn new(sender: Sender, envelope: Envelope) -> Self {
        Self {
            inner: Arc::new(Inner {
                sender,
                envelope,
                asked: Asked::default(),
            }),
        }
    }

    /// Sends an event, waiting for room if the route's slow-client policy says so.
    ///
    /// # Errors
    ///
    /// `WHARF_ENCODE` for data that cannot be encoded, and what [`Sender::send`] returns.
    ///
    /// # Cancel safety
    ///
    /// Atomic: queued whole, or not at all.
    pub async fn emit(&self, event: &str, data: &impl Serialize) -> Result<()> {
        let message = self.inner.envelope.event(checked(event)?, data, None)?;
        self.inner.sender.send(message).await
    }

    /// Asks the peer and waits for its reply.
    ///
    /// # Errors
    ///
    /// `WHARF_REQUEST_TIMEOUT` if it does not answer in time, `WHARF_CLOSED` if the session ends,
    /// `WHARF_PEER_ERROR` if it answers with an error, `WHARF_INVALID_JSON` if its reply is of
    /// another shape, `WHARF_TOO_MANY_REQUESTS` if too many are unanswered.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it waits no more; the request may have been sent.
    pub async fn request<T: DeserializeOwned>(
        &self,
        event: &str,
        data: &impl Serialize,
        within: Duration,
    ) -> Result<T> {
        let inner = &*self.inner;
        let mut waiting = inner.asked.begin()?;
        let message = inner
            .envelope
            .event(checked(event)?, data, Some(waiting.id))?;
        let answer = async {
            inner.sender.send(message).await?;
            tokio::select! {
                biased;
                answer = &mut waiting.answer => answer.map_err(|_| Error::closed()),
                () = inner.sender.closed() => Err(Error::closed()),
            }
        };
        match timeout(within.min(LONGEST), answer).await {
            Ok(Ok(Answer::Data(data))) => codec::decode_json_text(&data),
            Ok(Ok(Answer::Error(error))) => Err(peer_error(&error)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::new(
                ErrorKind::Timeout,
                "WHARF_REQUEST_TIMEOUT",
                "the peer did not answer a request in time; ask again, or give it longer",
            )),
        }
    }

    /// The connection's id.
    pub fn id(&self) -> ConnectionId {
        self.inner.sender.id()
    }

    /// Writes to the session below.
    pub fn sender(&self) -> &Sender {
        &self.inner.sender
    }

    pub(super) fn envelope(&self) -> &Envelope {
        &self.inner.envelope
    }

    pub(super) fn asked(&self) -> &Asked {
        &self.inner.asked
    }
}

impl AsRef<Sender> for ChannelPeer {
    fn as_ref(&self) -> &Sender {
        self.sender()
    }
}

fn checked(event: &str) -> Result<&str> {
    if is_name(event) {
        return Ok(event);
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        "WHARF_EVENT_NAME",
        "an event's name is 1 to 64 letters, digits or -_.:/; choose another",
    ))
}

/// The code that the peer answered with is its own: told as context, and never its text.
fn peer_error(error: &str) -> Error {
    #[derive(serde::Deserialize)]
    struct Coded {
        code: String,
    }
    let code = serde_json::from_str::<Coded>(error).map_or_else(
        |_| "none".to_owned(),
        |coded| coded.code.chars().take(64).collect(),
    );
    Error::new(
        ErrorKind::Handler,
        "WHARF_PEER_ERROR",
        "the peer answered a request with an error; see its code in the context",
    )
    .with_context("peer_code", code)
}
