//! The measured app on Wharf: one source, whatever carries it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use wharf_sdk::{App, Configure as _, ConnectionId, Message, Result, Route, Sender, Socket, State};

use crate::serve::MAX_MESSAGE_BYTES;

/// Every socket of `/fan`.
type Members = Arc<Mutex<HashMap<ConnectionId, Sender>>>;

/// Makes the app: `/echo`, and `/fan`, which sends every text to every socket on it.
///
/// # Errors
///
/// Never, unless the policy below contradicts itself.
pub fn app() -> Result<App> {
    App::builder()
        .max_message_bytes(MAX_MESSAGE_BYTES)
        .state(Members::default())
        .route(Route::new("/echo", echo))
        .route(Route::new("/fan", fan))
        .build()
}

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        socket.write(message).await?;
    }
    Ok(())
}

async fn fan(State(members): State<Members>, mut socket: Socket) -> Result<()> {
    let id = socket.id();
    lock(&members).insert(id, socket.sender());
    while let Ok(Some(message)) = socket.read().await {
        if let Message::Text(_) = message {
            for sender in lock(&members).values() {
                // A socket whose queue is full misses this message; one that is gone removes
                // itself.
                let _ = sender.try_send(message.clone());
            }
        }
    }
    lock(&members).remove(&id);
    Ok(())
}

fn lock(members: &Members) -> std::sync::MutexGuard<'_, HashMap<ConnectionId, Sender>> {
    members.lock().expect("nothing panics under this lock")
}
