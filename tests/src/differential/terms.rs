//! The routes of the rounds: what each allows.

use wharf_sdk::{Compression, Configure, Limits, SlowClient};

/// A route's settings, as far as a round has to know them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) path: &'static str,
    pub(super) max_message_bytes: usize,
    pub(super) max_outbound_bytes: usize,
    pub(super) max_fragments: usize,
    pub(super) control_frames: bool,
    /// A queue of this many messages, and what happens when it is full.
    pub(super) queue: Option<(usize, SlowClient)>,
    /// How messages are compressed, with context takeover or without; the client offers it then.
    pub(super) compression: Option<(Compression, Takeover)>,
}

/// Whether messages may refer to earlier ones.
pub(super) type Takeover = bool;

/// Every route.
pub(super) fn all() -> Vec<Terms> {
    let limits = Limits::default();
    let plain = Terms {
        path: "/plain",
        max_message_bytes: limits.max_message_bytes,
        max_outbound_bytes: limits.max_outbound_message_bytes,
        max_fragments: limits.max_fragments,
        control_frames: false,
        queue: None,
        compression: None,
    };
    let compression = |takeover| {
        let compression = Compression::new().threshold_bytes(64).takeover(takeover);
        Some((compression, takeover))
    };
    let short = |path, slow| Terms {
        path,
        queue: Some((4, slow)),
        ..plain
    };
    let waits = Terms {
        path: "/waits",
        queue: Some((1, SlowClient::Wait)),
        ..plain
    };
    vec![
        plain,
        Terms {
            path: "/control",
            control_frames: true,
            ..plain
        },
        Terms {
            path: "/small",
            max_message_bytes: 300,
            ..plain
        },
        Terms {
            path: "/few",
            max_fragments: 3,
            ..plain
        },
        Terms {
            path: "/tight",
            max_message_bytes: 150,
            max_fragments: 2,
            control_frames: true,
            ..plain
        },
        Terms {
            path: "/quiet",
            max_outbound_bytes: 100,
            ..plain
        },
        waits,
        short("/error", SlowClient::Error),
        short("/newest", SlowClient::DropNewest),
        short("/oldest", SlowClient::DropOldest),
        short("/full", SlowClient::Close),
        Terms {
            path: "/deflate",
            compression: compression(false),
            ..plain
        },
        Terms {
            path: "/deflate-takeover",
            compression: compression(true),
            ..plain
        },
        Terms {
            path: "/deflate-small",
            max_message_bytes: 300,
            control_frames: true,
            compression: compression(true),
            ..plain
        },
    ]
}

impl Terms {
    /// What becomes of messages that a queue of this length has no room for, if they do not wait.
    pub(super) fn excess(&self) -> Option<(usize, SlowClient)> {
        self.queue.filter(|(_, slow)| *slow != SlowClient::Wait)
    }

    /// Whether messages may refer to earlier ones, so that none can be left out.
    pub(super) fn takes_over(&self) -> Takeover {
        self.compression.is_some_and(|(_, takeover)| takeover)
    }

    /// Whether a full queue makes the handler wait.
    pub(super) fn waits(&self) -> bool {
        self.queue.is_some() && self.excess().is_none()
    }

    /// Puts the settings on a route, or on a client.
    pub(super) fn apply<C: Configure>(&self, route: C) -> C {
        let route = route
            .max_message_bytes(self.max_message_bytes)
            .max_outbound_message_bytes(self.max_outbound_bytes)
            .max_fragments(self.max_fragments)
            .control_frames(self.control_frames)
            .compression(self.compression.map(|(compression, _)| compression));
        match self.queue {
            Some((messages, slow)) => route.queue_messages(messages).slow_client(slow),
            None => route,
        }
    }
}
