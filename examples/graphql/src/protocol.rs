//! Any schema on a socket.

use std::{pin::Pin, time::Duration};

use async_graphql::{
    Executor,
    http::{ALL_WEBSOCKET_PROTOCOLS, WebSocket as Operations, WebSocketProtocols, WsMessage},
};
use futures::{StreamExt, TryStreamExt};
use wharf::{Error, Result, Socket};

/// What clients may offer: `graphql-transport-ws` first, and the older `graphql-ws`.
pub const SUBPROTOCOLS: [&str; 2] = ALL_WEBSOCKET_PROTOCOLS;

/// How long `connection_init` may take.
const INIT: Duration = Duration::from_secs(3);

/// Runs a client's operations until it leaves. Answers wait for a client that reads slowly, and
/// subscriptions with them.
///
/// # Errors
///
/// The close codes of the protocol: 4400, 4401, 4403, 4408, 4429.
pub async fn serve(schema: impl Executor, socket: Socket) -> Result<()> {
    let protocol = socket.subprotocol().and_then(|name| name.parse().ok());
    let protocol = protocol.unwrap_or(WebSocketProtocols::GraphQLWS);
    let (messages, sender) = socket.split();
    let mut messages = messages
        // Binary ones become empty, which is no operation.
        .map_ok(|message| message.into_text().unwrap_or_default())
        .peekable();
    let first = tokio::time::timeout(INIT, Pin::new(&mut messages).peek());
    if first.await.is_err() {
        return Err(Error::close(4408, "Connection initialisation timeout"));
    }
    let messages = messages.filter_map(async |message| message.ok());
    let mut answers = Operations::new(schema, Box::pin(messages), protocol);
    while let Some(answer) = answers.next().await {
        match answer {
            WsMessage::Text(text) => sender.send(text).await?,
            WsMessage::Close(code, _) => return Err(closed_for(code)),
        }
    }
    Ok(())
}

/// In the protocol's codes, which the engine does not have, and without what the client sent.
fn closed_for(code: u16) -> Error {
    match code {
        1002 => Error::close(4400, "Invalid message received"),
        1011 => Error::close(4401, "Unauthorized"),
        4429 => Error::close(4429, "Too many initialisation requests"),
        code => Error::close(code, "The operation failed"),
    }
}
