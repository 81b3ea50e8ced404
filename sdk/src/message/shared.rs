//! One message for many sockets.

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;

use crate::message::{content::Message, encoding::Encoding};

/// A text or binary message that goes to many sockets: made once, encoded once, never copied for
/// any of them. A clone is a reference count.
///
/// ```
/// use wharf_sdk::{Delivery, Result, Sender, SharedMessage};
///
/// /// Says how many got it.
/// fn publish(news: &str, members: &[Sender]) -> usize {
///     let news = SharedMessage::new(news);
///     let sent = members.iter().map(|member| member.try_send_shared(&news));
///     sent.filter(|sent| matches!(sent, Ok(delivery) if *delivery != Delivery::Dropped)).count()
/// }
/// # let _ = publish;
/// ```
#[derive(Clone)]
pub struct SharedMessage {
    inner: Arc<Inner>,
}

struct Inner {
    message: Message,
    /// The frame of a server that compresses nothing.
    plain: OnceLock<Bytes>,
    /// Other encodings by what tells them apart. There are a handful.
    others: Mutex<Vec<(u32, Arc<Encoding>)>>,
}

impl SharedMessage {
    /// Makes a message to be shared.
    pub fn new(message: impl Into<Message>) -> Self {
        let mut message = message.into();
        // It may wait in many queues, and must not keep a whole read buffer alive there.
        message.compact();
        Self {
            inner: Arc::new(Inner {
                message,
                plain: OnceLock::new(),
                others: Mutex::default(),
            }),
        }
    }

    /// What is shared.
    pub fn message(&self) -> &Message {
        &self.inner.message
    }

    /// The number of payload bytes, headers not counted.
    pub fn payload_bytes(&self) -> usize {
        self.inner.message.payload_bytes()
    }

    /// The frame of a server that compresses nothing, made by whoever needs it first.
    pub(crate) fn plain_frame(&self, encode: impl FnOnce(&Message) -> Bytes) -> Bytes {
        let frame = self.inner.plain.get_or_init(|| encode(&self.inner.message));
        frame.clone()
    }

    /// Another encoding, made by whoever needs it first; `key` tells encodings apart.
    pub(crate) fn encoding(&self, key: u32) -> Arc<Encoding> {
        let others = &self.inner.others;
        let mut others = others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, encoding)) = others.iter().find(|(other, _)| *other == key) {
            return Arc::clone(encoding);
        }
        let encoding = Arc::default();
        others.push((key, Arc::clone(&encoding)));
        encoding
    }
}

/// Prints the kind and the size, never the payload.
impl fmt::Debug for SharedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedMessage")
            .field(&self.inner.message)
            .finish()
    }
}

impl PartialEq for SharedMessage {
    fn eq(&self, other: &Self) -> bool {
        self.message() == other.message()
    }
}

impl Eq for SharedMessage {}

impl From<Message> for SharedMessage {
    fn from(message: Message) -> Self {
        Self::new(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_is_made_once() {
        let shared = SharedMessage::new("hello");
        let frame = shared.plain_frame(|_| Bytes::from_static(b"plain"));
        let again = shared.clone().plain_frame(|_| panic!("made already"));
        assert_eq!(frame.as_ptr(), again.as_ptr());
        let made = |key, made| {
            shared
                .encoding(key)
                .get_or_make(|| Bytes::from_static(made))
        };
        assert_eq!(made(1, b"one"), "one");
        assert_eq!(made(2, b"two"), "two");
        assert_eq!(made(1, b"again"), "one");
    }
}
