//! One message to everybody, by hand: a list of senders.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wharf_sdk::{ConnectionId, Message, Result, Sender, SharedMessage, Socket, State};

use crate::messages::Prices;

/// Everybody: a run uses one route.
#[derive(Clone, Default)]
pub(super) struct Members(Arc<Mutex<HashMap<ConnectionId, Sender>>>);

impl Members {
    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, Sender>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what is `said` by a member to all; a socket whose queue is full misses it.
    async fn run(
        self,
        mut socket: Socket,
        said: impl Fn(&Message, &HashMap<ConnectionId, Sender>),
    ) -> Result<()> {
        let id = socket.id();
        self.lock().insert(id, socket.sender());
        while let Ok(Some(message)) = socket.read().await {
            if let Message::Text(_) = message {
                said(&message, &self.lock());
            }
        }
        self.lock().remove(&id);
        Ok(())
    }
}

/// Encodes, and compresses, a message once for all.
pub(super) async fn shared(State(members): State<Members>, socket: Socket) -> Result<()> {
    let said = |message: &Message, members: &HashMap<_, Sender>| {
        let shared = SharedMessage::new(message.clone());
        for sender in members.values() {
            // A socket that is gone removes itself.
            let _ = sender.try_send_shared(&shared);
        }
    };
    members.run(socket, said).await
}

/// Encodes, and compresses, a message for each.
pub(super) async fn copies(State(members): State<Members>, socket: Socket) -> Result<()> {
    let said = |message: &Message, members: &HashMap<_, Sender>| {
        for sender in members.values() {
            let _ = sender.try_send(message.clone());
        }
    };
    members.run(socket, said).await
}

/// Makes JSON of a value once for all.
pub(super) async fn value_once(
    State(members): State<Members>,
    State(prices): State<Arc<Prices>>,
    socket: Socket,
) -> Result<()> {
    let said = |_: &Message, members: &HashMap<_, Sender>| {
        let Ok(message) = Message::json(&*prices) else {
            return;
        };
        let shared = SharedMessage::new(message);
        for sender in members.values() {
            let _ = sender.try_send_shared(&shared);
        }
    };
    members.run(socket, said).await
}

/// Makes JSON of a value for each.
pub(super) async fn value_each(
    State(members): State<Members>,
    State(prices): State<Arc<Prices>>,
    socket: Socket,
) -> Result<()> {
    let said = |_: &Message, members: &HashMap<_, Sender>| {
        for sender in members.values() {
            if let Ok(message) = Message::json(&*prices) {
                let _ = sender.try_send(message);
            }
        }
    };
    members.run(socket, said).await
}
