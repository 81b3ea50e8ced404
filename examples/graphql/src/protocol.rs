//! Any schema on a socket.

use std::{pin::Pin, time::Duration};

use async_graphql::{
    Executor,
    http::{
        ALL_WEBSOCKET_PROTOCOLS, ClientMessage, WebSocket as Operating, WebSocketProtocols,
        WsMessage,
    },
};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;
use wharf::{Error, Result, Sender, Socket};

use crate::operations::{AT_ONCE, Operations, Refusal};

/// What clients may offer: `graphql-transport-ws` first, and the older `graphql-ws`.
pub const SUBPROTOCOLS: [&str; 2] = ALL_WEBSOCKET_PROTOCOLS;

/// How long `connection_init` may take.
const INIT: Duration = Duration::from_secs(3);

/// Runs a client's operations until it leaves. Answers wait for a client that reads slowly, and
/// subscriptions with them; no more operations run at once than [`AT_ONCE`].
///
/// # Errors
///
/// The close codes of the protocol: 4400, 4401, 4403, 4408, 4429. An id that is taken closes with
/// 4409.
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
    let operations = Operations::default();
    let messages = messages.filter_map(async |text| {
        let message = ClientMessage::from_bytes(text.ok()?);
        match &message {
            Ok(ClientMessage::Start { id, .. }) => {
                let admitted = admit(&operations, id, protocol, &sender).await;
                admitted.then_some(message)
            }
            _ => Some(message),
        }
    });
    let mut answers = Operating::from_message_stream(schema, Box::pin(messages), protocol);
    while let Some(answer) = answers.next().await {
        match answer {
            WsMessage::Text(text) => {
                operations.hear(&text);
                sender.send(text).await?;
            }
            WsMessage::Close(code, _) => return Err(closed_for(code)),
        }
    }
    Ok(())
}

/// Whether an operation may begin. The client is told if not.
async fn admit(
    operations: &Operations,
    id: &str,
    protocol: WebSocketProtocols,
    sender: &Sender,
) -> bool {
    let is_older = protocol == WebSocketProtocols::SubscriptionsTransportWS;
    match operations.begin(id) {
        Ok(()) => true,
        // In the older protocol it takes the other one's place.
        Err(Refusal::Twice) if is_older => true,
        Err(Refusal::Twice) => {
            // Nothing is sent behind a close that has begun.
            let _ = sender.start_close(4409, "Subscriber already exists");
            false
        }
        Err(Refusal::TooMany) => {
            let what = format!("at most {AT_ONCE} operations run at once; complete one first");
            let error = json!({ "message": what });
            let payload = if is_older { error } else { json!([error]) };
            let refusal = json!({ "type": "error", "id": id, "payload": payload });
            // If the socket has ended, so have its operations.
            let _ = sender.send(refusal.to_string()).await;
            false
        }
    }
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
