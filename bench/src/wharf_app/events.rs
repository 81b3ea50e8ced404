//! An event with a reply: through a channel, and by hand.

use serde::{Deserialize, Serialize};
use wharf_sdk::channel::Data;
use wharf_sdk::{Channel, Message, Result, Socket};

use crate::messages::{Accepted, Bid};

pub(super) fn channel() -> Channel {
    Channel::new().on("bid", bid)
}

async fn bid(Data(bid): Data<Bid>) -> Result<Accepted> {
    Ok(bid.accept())
}

#[derive(Deserialize)]
struct Incoming<'a> {
    event: &'a str,
    data: Bid,
    id: u64,
}

#[derive(Serialize)]
struct Reply {
    reply: u64,
    data: Accepted,
}

/// What one would write without a channel, as short as it goes.
pub(super) async fn by_hand(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.read().await? {
        let Message::Text(text) = message else {
            continue;
        };
        let Ok(incoming) = serde_json::from_str::<Incoming<'_>>(&text) else {
            return socket.close(1007, "not an event").await;
        };
        if incoming.event != "bid" {
            return socket.close(1008, "no such event").await;
        }
        let reply = Reply {
            reply: incoming.id,
            data: incoming.data.accept(),
        };
        socket.write(Message::json(&reply)?).await?;
    }
    Ok(())
}
