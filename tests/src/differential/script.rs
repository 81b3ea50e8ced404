//! What the handlers of the rounds do, as state machines without IO: the handlers run them, and the
//! plan of a round runs them too, to know what has to come of it.

use bytes::Bytes;
use wharf_sdk::Message;

use super::transcript::describe;

/// What a handler says to what it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Script {
    /// The same.
    Echo,
    /// A description of it.
    Describe,
    /// The same, this many times.
    Repeat(usize),
    /// A ping, and the same.
    Ping,
    /// A greeting before anything comes, and the same.
    Greet,
    /// A report on every so many messages, and a last one when the socket has ended.
    Gather(usize),
    /// The same for this many messages, and then an end.
    Stop(usize, Stop),
}

/// How a handler ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// Returns `Ok`.
    Return,
    /// Returns an error that carries this code and reason.
    Refuse(u16, &'static str),
    /// Returns another error.
    Fail,
    /// Panics.
    Panic,
    /// Closes with this code and reason, and returns.
    Close(u16, &'static str),
}

/// How a handler reads and writes, which must make no difference to what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// With the socket's own methods.
    Plain,
    /// Through the trait object.
    Dyn,
    /// As a stream.
    Stream,
    /// Gives up a read that is not ready at once, and reads again.
    Impatient,
    /// As a sink.
    Sink,
    /// Waits after every message until it has left.
    Flushing,
    /// Sleeps for a moment between reading and writing.
    Drowsy,
    /// Writes from another task.
    Elsewhere,
}

impl Manner {
    /// Whether answers leave later than in the turn in which the message was read. The end may
    /// overtake those, so that what leaves before it depends on the packets' timing.
    pub(super) fn is_late(self) -> bool {
        matches!(
            self,
            Self::Sink | Self::Flushing | Self::Drowsy | Self::Elsewhere
        )
    }
}

/// What a handler does next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reaction {
    pub(super) ping: Option<Bytes>,
    pub(super) writes: Vec<Message>,
    pub(super) stop: Option<Stop>,
}

/// A script in progress.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    script: Script,
    messages: usize,
    bytes: usize,
}

impl Actor {
    pub(super) fn new(script: &Script) -> Self {
        Self {
            script: script.clone(),
            messages: 0,
            bytes: 0,
        }
    }

    /// Before anything was read.
    pub(super) fn begin(&self) -> Reaction {
        match &self.script {
            Script::Greet => Reaction::writing(["hello".into(), vec![7; 300].into()]),
            Script::Stop(0, stop) => Reaction {
                stop: Some(stop.clone()),
                ..Reaction::default()
            },
            _ => Reaction::default(),
        }
    }

    /// To a text or binary message.
    pub(super) fn react(&mut self, message: &Message) -> Reaction {
        self.messages += 1;
        self.bytes += message.payload_bytes();
        match &self.script {
            Script::Echo | Script::Greet => Reaction::writing([message.clone()]),
            Script::Describe => Reaction::writing([describe(message).into()]),
            Script::Repeat(times) => Reaction::writing(vec![message.clone(); *times]),
            Script::Ping => Reaction {
                ping: Some(self.messages.to_string().into()),
                ..Reaction::writing([message.clone()])
            },
            Script::Gather(every) if self.messages.is_multiple_of(*every) => {
                Reaction::writing([self.report()])
            }
            Script::Gather(_) => Reaction::default(),
            Script::Stop(after, stop) => Reaction {
                stop: (self.messages == *after).then(|| stop.clone()),
                ..Reaction::writing([message.clone()])
            },
        }
    }

    /// The last words, to a socket that has ended.
    pub(super) fn end(&self) -> Option<Message> {
        matches!(self.script, Script::Gather(_)).then(|| self.report())
    }

    fn report(&self) -> Message {
        format!("{} messages, {} bytes", self.messages, self.bytes).into()
    }
}

impl Reaction {
    fn writing(writes: impl Into<Vec<Message>>) -> Self {
        Self {
            writes: writes.into(),
            ..Self::default()
        }
    }
}
